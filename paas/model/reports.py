"""What is told: to the log, to webhooks, to the host's owner."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True)
class JournalLine:
    """What paas itself has to say among an app's log lines; ids only grow."""

    id: int
    at: float
    text: str


@dataclass(frozen=True)
class AppEvent:
    """Something that happened to an app (`app` "": to none), for `events`; ids only grow.

    `kind` is a word of ours ("deployed", "config-changed") or the engine's ("die", "oom").
    """

    app: str
    kind: str
    process: str = ""  # "web.1"
    details: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    id: int = 0
    at: float = 0.0


@dataclass(frozen=True)
class Notice:
    """A webhook call to be made. `url` is "" when nobody wants it any more; `body` is JSON."""

    id: int
    url: str
    body: str
    attempts: int


@dataclass(frozen=True)
class Finding:
    """One line of `paas doctor`. `level` is "ok", "warn" or "fail"; `hint` says what to do."""

    check: str
    level: str
    message: str
    hint: str = ""
