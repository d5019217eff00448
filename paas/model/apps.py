"""An app, and what is decided about it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

from paas.errors import Conflict
from paas.model.names import app_name

CONFIG_VALUE_BYTES = 64 * 1024
CONFIG_TOTAL_BYTES = 1024 * 1024
CONFIG_GLOBAL_BYTES = 64 * 1024  # of the vars of all apps: each app's own come on top
UID_BASE = 200_000
RFC_3339 = "%Y-%m-%dT%H:%M:%SZ"  # for time.strftime, in UTC


class Desired(StrEnum):
    """What the owner wants of an app."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True)
class App:
    """One app. `network_index` (0..2047) fixes its subnet and its service addresses."""

    id: int
    name: str
    network_index: int
    created_at: float
    desired: Desired = Desired.RUNNING
    deploy_branch: str | None = None
    version: int | None = None  # of the current release; None before the first deploy

    def __post_init__(self) -> None:
        app_name(self.name)

    @property
    def uid(self) -> int:
        """The numeric user (and group) its processes run as."""
        return UID_BASE + self.id


@dataclass(frozen=True)
class Certificate:
    """An app's certificate: its chain, its own first, and the private key, all PEM (RFC 7468)."""

    chain: str
    key: str = field(repr=False)
    names: tuple[str, ...] = ()  # the host names it is good for; `*.example.org` is one level

    def covers(self, domain: str) -> bool:
        """Return whether clients accept it for the domain (RFC 6125, 6.4.3)."""
        return domain in self.names or f"*.{domain.partition('.')[2]}" in self.names


@dataclass(frozen=True)
class AppLock:
    """Who has locked an app against deploys, and since when (seconds since the epoch)."""

    TOPIC: ClassVar = "apps"  # where it stands among the properties
    KEY: ClassVar = "locked"

    actor: str
    since: float

    def __str__(self) -> str:
        return f"is locked by {self.actor} since {time.strftime(RFC_3339, time.gmtime(self.since))}"

    def refusal(self, app: str) -> Conflict:
        """Return the error for whoever wants to deploy the app of this name."""
        return Conflict(f"{app} {self}: nothing is deployed", hint=f"To go on: apps:unlock {app}")

    @property
    def text(self) -> str:
        """How it is stored."""
        return f"{self.since:.0f} {self.actor}"

    @classmethod
    def parse(cls, text: str) -> "AppLock":
        """Return the lock of a stored text."""
        since, _, actor = text.partition(" ")
        return cls(actor, float(since))


@dataclass(frozen=True)
class SecurityOptions:
    """The walls of one app's containers. The defaults are the hardened profile.

    Every field that is loosened is shown by `security:report`. Sizes are bytes.
    """

    writable_root: bool = False
    tmp_size: int = 64 * 1024 * 1024
    tmpfs: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # path -> size
    memory: int | None = None  # None: the host's default (settings.app_memory)
    pids: int = 256
    run_as: int | None = None  # None: uid 200000 + app id; never 0
    shm_size: int = 64 * 1024 * 1024  # of /dev/shm; what is in it counts as memory
    open_files: int = 4096
