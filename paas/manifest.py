"""What an app.json says of how its app runs. build/app_json.py reads it, a release keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class CheckKind(StrEnum):
    """When a check is made: before a new process takes over, or while it runs."""

    STARTUP = "startup"
    LIVENESS = "liveness"


@dataclass(frozen=True)
class Check:
    """One health check of a process type. Times are seconds.

    With `path` it is a GET that must be answered with 2xx or 3xx, and with `content` in the body.
    With `uptime` the process must have stayed up that long.
    """

    kind: CheckKind = CheckKind.STARTUP
    path: str | None = None
    content: str = ""
    attempts: int = 3  # bad answers until it has failed
    timeout: float = 5.0  # for one answer
    wait: float = 5.0  # between two attempts
    delay: float = 0.0  # before the first
    uptime: float = 0.0


@dataclass(frozen=True)
class Manifest:
    """What an app.json says; empty without one."""

    predeploy: str = ""  # a shell line, run before the switch; its failure fails the deploy
    postdeploy: str = ""  # a shell line, run after the switch
    formation: Mapping[str, int] = field(default_factory=dict)  # process type -> quantity
    checks: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)  # by process type
