"""Lines of the pipeline at which a test stops or kills the process that comes along.

Production code knows nothing of this: daemon.py wraps the functions before it serves. A trap is a
file; the process that springs it takes it away and leaves its pid, so that a test sees the hit.
"""

import functools
import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paas.build.builder import EngineBuilder
from paas.git.quarantine import Quarantine
from paas.git.repos import DulwichRepos
from paas.proxies.nginx import NginxProxy
from paas.schedulers import starting
from paas.schedulers.docker_local import DockerLocal
from paas.state import commit_point
from paas.state.apps import SqliteApps
from paas.state.deploys import SqliteDeploys

WRAPPED: dict[str, tuple[Any, str]] = {
    "create app": (SqliteApps, "create"),
    "deploys.start": (SqliteDeploys, "start"),
    "advance": (SqliteDeploys, "advance"),
    "fail": (SqliteDeploys, "fail"),
    "build": (EngineBuilder, "build"),
    "create": (starting, "create_once"),
    "start": (DockerLocal, "start"),
    "admit": (Quarantine, "admit"),
    "keep": (DulwichRepos, "keep"),
    "half the commit": (commit_point, "make_current"),
    "commit": (SqliteDeploys, "commit"),
    "switch": (NginxProxy, "switch"),
    "publish": (NginxProxy, "publish"),
    "keep containers": (DockerLocal, "keep"),
    "set_branch": (DulwichRepos, "set_branch"),
    "drop": (DulwichRepos, "drop"),
}
# In the order in which a push comes along them. `half the commit` lies inside the transaction,
# `create` between a container and its start, `admit` inside keep().
STATES = (
    "after deploys.start",
    *(f"after advance {state}" for state in ("building", "built", "releasing", "starting")),
    "after create",
    "after start",
    "after advance healthy",
)
COMMIT_ORDER = (
    "before keep",
    "after admit",
    "after keep",
    "before commit",
    "after half the commit",
    "after commit",
    "after switch",
    "after publish",
    "after keep containers",
    "before set_branch",
    "after set_branch",
    "before advance done",
    "after advance done",
)
UNDO = ("before drop", "after drop", "after fail")


REQUEST = ("paas-request",)
RECOVERY = ("paas-background", "paas-worker")


@dataclass(frozen=True)
class Trap:
    """A trap for the first process with one of some names (proc(5), comm) that comes along."""

    file: Path

    @property
    def sprung(self) -> Path:
        """Where the trap lies once it has hit; its content is the pid of whom it hit."""
        return self.file.with_suffix(".sprung")

    def set(self, line: str, number: signal.Signals, who: Sequence[str] = REQUEST) -> None:
        """Lay the trap: who comes along sends itself the signal."""
        self.sprung.unlink(missing_ok=True)
        new = self.file.with_suffix(".new")
        new.write_text(json.dumps([line, who, int(number)]))
        new.replace(self.file)

    def clear(self) -> bool:
        """Take the trap away; return whether it had hit."""
        self.file.unlink(missing_ok=True)
        return self.sprung.exists()

    def caught(self) -> int | None:
        """Return the pid of who sprang the trap, None if nobody has yet."""
        text = self.sprung.read_text() if self.sprung.exists() else ""
        return int(text) if text else None

    def pass_by(self, line: str) -> None:
        """Come along a line: send ourselves the signal if the trap is for us."""
        try:
            at, who, number = json.loads(self.file.read_text())
        except FileNotFoundError:
            return
        if at == line and Path("/proc/self/comm").read_text().strip() in who:
            self.file.unlink()
            self.sprung.write_text(str(os.getpid()))
            os.kill(os.getpid(), number)


def wrap_all(trap: Trap) -> None:
    """Wrap every function that has a line, in this process and in its forks."""
    for name, (owner, attribute) in WRAPPED.items():
        setattr(owner, attribute, _wrapped(getattr(owner, attribute), name, trap))


def _wrapped(function: Callable[..., Any], name: str, trap: Trap) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        line = f"{name} {args[-1]}" if name == "advance" else name
        trap.pass_by(f"before {line}")
        result = function(*args, **kwargs)
        trap.pass_by(f"after {line}")
        return result

    return call
