"""Lifecycle hooks of the host's owner: executables in `<hooks>/<stage>.d/`, run in name order."""

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from paas.errors import HookRefused
from paas.reporter import Reporter

STAGES = ("pre-build", "post-build", "pre-release", "post-deploy", "deploy-failed")
TIMEOUT = 60.0  # seconds per hook
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Hooks:
    """Runs the hooks in one directory.

    A hook gets the app's name as its argument and PAAS_APP, PAAS_RELEASE, PAAS_STAGE and the like
    as its whole environment: config vars never reach a process on the host.
    """

    def __init__(self, directory: Path, timeout: float = TIMEOUT) -> None:
        self._directory = directory
        self._timeout = timeout

    def run(self, stage: str, app: str, variables: Mapping[str, str], reporter: Reporter) -> None:
        """Run the stage's hooks. Raises HookRefused at the first that exits non-zero or hangs.

        A hook that root does not own, or that others may write, is refused: it would run as root.
        """
        for hook in self._hooks(stage):
            with reporter.step(f"Hook {stage}: {hook.name}", name="hooks"):
                self._run_one(hook, stage, app, variables, reporter)

    def _hooks(self, stage: str) -> list[Path]:
        folder = self._directory / f"{stage}.d"
        if not folder.is_dir():
            return []
        return sorted(p for p in folder.iterdir() if p.is_file() and os.access(p, os.X_OK))

    def _run_one(
        self, hook: Path, stage: str, app: str, variables: Mapping[str, str], reporter: Reporter
    ) -> None:
        _check_owner(hook)
        environment = {"PATH": PATH, "PAAS_APP": app, "PAAS_STAGE": stage, **variables}
        try:
            done = subprocess.run(
                [str(hook), app],
                env=environment,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=self._timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise HookRefused(
                f"The {stage} hook {hook.name} did not end within {self._timeout:.0f} s",
                hint=f"Make {hook} quicker, or remove it.",
            ) from error
        except OSError as error:
            raise HookRefused(
                f"The {stage} hook {hook.name} cannot be run: {error.strerror}",
                hint=f"Check the first line (#!) and the mode of {hook}.",
            ) from error
        reporter.tool(done.stdout.decode(errors="replace"))
        if done.returncode:
            raise HookRefused(
                f"The {stage} hook {hook.name} refused: exit status {done.returncode}",
                details=reporter.tail(),
                hint="The host's owner put this hook there; ask for the reason.",
            )


def _check_owner(hook: Path) -> None:
    info = hook.stat()
    if info.st_uid not in {0, os.geteuid()} or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise HookRefused(
            f"The hook {hook.name} is not owned by root alone",
            hint=f"Run: chown root {hook}; chmod go-w {hook}",
        )
