"""The words of one-off containers and cron as frozen values, validated at construction."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from paas.manifest import CronTask


class RunKind(StrEnum):
    """What a one-off container is for; it stands in the container's name."""

    RUN = "run"
    CRON = "cron"
    DEBUG = "debug"  # beside a process of the app, in its namespaces


@dataclass(frozen=True)
class Errand:
    """What is to be run once. `job` and `scheduled` are for cron, `env` goes over the config."""

    kind: RunKind
    command: str  # a shell line
    actor: str
    ttl: float  # seconds; then it is ended
    job: str = ""
    scheduled: float | None = None  # the minute that a schedule named
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Run:
    """One one-off container, as the database knows it. Times are seconds since the epoch."""

    id: int
    app_id: int
    kind: RunKind
    job: str
    version: int  # of the release whose image it has
    command: str
    actor: str
    container_id: str  # "" until the engine has made it
    address: str  # "" without one of its own, and when it is over
    started_at: float
    due: float  # when it is ended
    pid: int | None = None  # of the process that it ends with; None: it runs on by itself
    pid_started: int | None = None  # see workers.started_at()
    finished_at: float | None = None
    status: int | None = None  # the exit status, None when there is none
    error: str = ""  # why it did not end by itself

    @property
    def process(self) -> str:
        """Its name within the app, `run.17`."""
        return f"{self.kind}.{self.id}"

    @property
    def has_failed(self) -> bool:
        """Whether it is over and did not end well."""
        return self.finished_at is not None and (self.status != 0 or bool(self.error))


@dataclass(frozen=True)
class CronJob:
    """One job of one app: from its app.json, or added by hand."""

    app_id: int
    task: CronTask
    is_added: bool = False  # by cron:add

    @property
    def id(self) -> str:
        """A short name that stays the same while schedule and command do."""
        words = f"{self.task.command}\0{self.task.schedule}"
        return hashlib.sha256(words.encode()).hexdigest()[:8]
