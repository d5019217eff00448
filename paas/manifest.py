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


class Overlap(StrEnum):
    """What becomes of a job that is due while it still runs (Dokku's concurrency_policy)."""

    ALLOW = "allow"  # a second one beside it
    FORBID = "forbid"  # the new one is skipped
    REPLACE = "replace"  # the old one is ended


@dataclass(frozen=True)
class CronTask:
    """A command and when it is run. paas.schedule reads the schedule."""

    schedule: str  # five fields in UTC, or @daily and the like
    command: str  # a shell line, or the name of a line in the Procfile
    overlap: Overlap = Overlap.ALLOW
    maintenance: bool = False  # it is not run by its schedule


@dataclass(frozen=True)
class Var:
    """A config var that the app declares: what it is when nobody has set it."""

    value: str = ""
    is_secret: bool = False  # a random one is made
    required: bool = True  # without a value the first deploy fails
    sync: bool = False  # set anew with each deploy of code


@dataclass(frozen=True)
class Manifest:
    """What an app.json says; empty without one."""

    predeploy: str = ""  # a shell line, run before the switch; its failure fails the deploy
    postdeploy: str = ""  # a shell line, run after the switch
    formation: Mapping[str, int] = field(default_factory=dict)  # process type -> quantity
    checks: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)  # by process type
    cron: tuple[CronTask, ...] = ()
    env: Mapping[str, Var] = field(default_factory=dict)
