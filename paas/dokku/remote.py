"""A Dokku host over ssh, asked with its own commands."""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence

from paas.dokku.folders import parse_scale
from paas.dokku.found import FoundApp, without_own
from paas.errors import PaasError, Unavailable

TARGET = re.compile(r"(?:[A-Za-z0-9._-]+@)[A-Za-z0-9][A-Za-z0-9._:-]*", re.ASCII)
TIMEOUT = 60.0  # seconds for one command: Dokku takes one or two
SSH = ("ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15")


class DokkuOverSsh:
    """Types Dokku's read verbs over ssh, with the keys of root on this host."""

    def __init__(self, target: str, ssh: Sequence[str] = SSH) -> None:
        self._target = target
        self._ssh = tuple(ssh)

    def apps(self) -> tuple[str, ...]:
        return tuple(self._ask("--quiet", "apps:list").split())

    def read(self, name: str) -> FoundApp:
        scale = self._ask("ps:scale", name)
        return FoundApp(
            name=name,
            config=without_own(self._config(name)),
            domains=self._domains(name),
            scale=parse_scale(scale),
            certificate=self._certificate(name),
            branch=self._try("git:report", name, "--git-deploy-branch").strip() or None,
            left=self._left(name),
        )

    def config(self) -> Mapping[str, str]:
        return without_own(self._config("--global"))

    def _config(self, name: str) -> dict[str, str]:
        text = self._ask("config:export", "--format", "json", name)
        try:
            values = json.loads(text)
        except ValueError as error:
            raise PaasError(
                f"{self._target} does not print config as JSON",
                hint="It needs Dokku 0.21 or newer; or copy /home/dokku here and import that.",
            ) from error
        return {str(key): str(value) for key, value in dict(values).items()}

    def _domains(self, name: str) -> tuple[str, ...]:
        return tuple(self._ask("domains:report", name, "--domains-app-vhosts").split())

    def _certificate(self, name: str) -> bytes | None:
        if self._try("certs:report", name, "--ssl-enabled").strip() != "true":
            return None
        parts = (self._ask("certs:show", name, part) for part in ("crt", "key"))
        return "\n".join(parts).encode()

    def _left(self, name: str) -> tuple[str, ...]:
        phases = ("build", "deploy", "run")
        found = {
            p: self._try("docker-options:report", name, f"--docker-options-{p}") for p in phases
        }
        return tuple(f"docker options for {p}: {o.strip()}" for p, o in found.items() if o.strip())

    def _ask(self, *argv: str) -> str:
        """Return what the command prints. Raises Unavailable when it fails."""
        done = self._run(argv)
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise Unavailable(
                f"{self._target} did not answer to {argv[0]}",
                details=tuple(last),
                hint=f"Try as root: ssh {self._target} {argv[0]}",
            )
        return done.stdout

    def _try(self, *argv: str) -> str:
        """Return what the command prints; "" from a Dokku that does not know it."""
        done = self._run(argv)
        return done.stdout if done.returncode == 0 else ""

    def _run(self, argv: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        # Names come from the other host: none of them may be an option or hold shell's characters.
        command = [*self._ssh, "--", self._target, *argv]
        try:
            return subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT, check=False,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError) as error:
            raise Unavailable(
                f"{self._target} cannot be asked: {error}", hint=f"Try: ssh {self._target} version"
            ) from error
