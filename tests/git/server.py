"""Speaks git on its standard streams for the tests: `server.py PLAN.json HOST COMMAND`, as ssh.

The plan says how the handler behaves and how paas is set; what was called is appended to the
plan's journal, one JSON object per line.
"""

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from paas.errors import BuildFailed, Conflict
from paas.git.base import NoWait, Push, Sideband
from paas.git.limits import Limits
from paas.git.repos import DulwichRepos
from paas.locks import Locks
from paas.model import App
from paas.settings import Settings
from paas.source import Source

APP = App(7, "shop", 1, 0.0)


class RecordingHandler:
    """A PushHandler that keeps a journal, holds a real lock, and fails as its plan says."""

    def __init__(self, plan: dict[str, Any], repos: DulwichRepos) -> None:
        self._plan = plan
        self._repos = repos
        self._locks = Locks(Path(plan["root"]) / "locks")

    def note(self, **what: Any) -> None:
        with Path(self._plan["journal"]).open("a") as file:
            file.write(json.dumps(what) + "\n")

    def arrived(self) -> None:
        self.note(call="arrived")

    @contextmanager
    def lock(self, sideband: Sideband, no_wait: NoWait | None = None) -> Iterator[None]:
        if self._plan.get("lock") == "refuse":
            raise Conflict("A newer push to this app took this one's place in the queue")
        with self._locks.app(
            APP.id, "anna", "push", waiting=lambda _: sideband.write("waiting\n"), patience=0
        ):
            self.note(call="lock")
            if no_wait:
                no_wait.accept()
                leave()
            try:
                yield
            except BaseException:
                self.note(call="lock failed")
                raise

    def deploy_branch(self) -> str | None:
        branch: str | None = self._plan.get("branch")
        return branch

    def deploy(self, push: Push, sideband: Sideband) -> None:
        source = push.source
        before = read_small(source)
        self.note(
            call="deploy",
            branch=push.branch,
            old=push.old,
            new=push.new,
            subject=push.subject,
            files=push.files,
            content=before,
            options=[push.options.no_cache, push.options.verbose],
        )
        sideband.write(f"-----> shop: received {push.new[:7]}\n")
        sideband.keepalive()
        self._behave(self._plan.get("deploy", "ok"), sideband)
        if self._plan.get("keep", True):
            self._repos.keep(APP, 12, push.new)
        if self._plan.get("deploy") == "kill after keep":
            os.kill(os.getpid(), signal.SIGKILL)
        self.note(call="deployed", same=before == read_small(source))

    def _behave(self, how: str, sideband: Sideband) -> None:
        if how == "fail":
            raise BuildFailed("no \x1b[31mbuildpack\nmatches " + "x" * 300, hint="See the docs")
        if how == "crash":
            raise RuntimeError("a bug")
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if how.startswith("wait:"):
            self.note(call="waiting")
            gate = Path(how.removeprefix("wait:"))
            while not gate.exists():
                time.sleep(0.01)
                sideband.write("still building\n")


def leave() -> None:
    """Let git go: it waits for the process that it started. Its child deploys."""
    if os.fork():
        os._exit(0)
    for stream in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), stream)


def read_small(source: Source) -> dict[str, str]:
    """Return the content of a tree of a few files; of a large one nothing."""
    if sum(entry.size for entry in source.entries()) > 100_000:
        return {}
    return {path: source.read(path) for path in source.glob("**/*") if source.has(path)}


def main() -> int:
    plan_file, _, command = sys.argv[1:]
    plan = json.loads(Path(plan_file).read_text())
    own = {"disk_reserve": 0} | plan.get("settings", {})
    settings = Settings(root=Path(plan["root"]), **own)
    limits = Limits(**plan["limits"]) if "limits" in plan else None
    if "files" in plan:
        resource.setrlimit(resource.RLIMIT_NOFILE, (plan["files"], plan["files"]))
    repos = DulwichRepos(settings, limits, plan.get("git"))
    handler = RecordingHandler(plan, repos)
    handler.note(call="start", pid=os.getpid())
    try:
        if command.startswith("git-upload-pack"):
            return repos.upload(APP, sys.stdin.buffer, sys.stdout.buffer)
        return repos.receive(APP, sys.stdin.buffer, sys.stdout.buffer, handler)
    finally:
        # Not ru_maxrss: that is at least what the forking parent had.
        status = Path("/proc/self/status").read_text()
        peak = int(status.partition("VmHWM:")[2].split()[0])
        child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        handler.note(call="end", peak_kb=peak, child_kb=child)


if __name__ == "__main__":
    sys.exit(main())
