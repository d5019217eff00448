"""What happens to containers, as it happens."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Change(StrEnum):
    """What can happen to a container, as far as anybody here wants to know."""

    STARTED = "start"
    ENDED = "die"
    OUT_OF_MEMORY = "oom"
    STOPPED = "stop"  # by whoever asked the engine; it has ended then
    SIGNALLED = "kill"  # somebody asked the engine for it: what ends now did not crash
    REMOVED = "destroy"
    RENAMED = "rename"
    PAUSED = "pause"


@dataclass(frozen=True)
class Event:
    """One change of one container of this instance."""

    container_id: str
    change: Change
    exit_code: int | None = None  # of one that ENDED
    name: str = field(default="", compare=False)  # the container's, as it was then


class Watch(Protocol):
    """An open stream of events, to wait for with select()."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when read() has something to say."""

    def read(self) -> tuple[Event, ...]:
        """Return what has happened since the last call; never wait.

        Raises EngineUnavailable when the stream has ended.
        """

    def close(self) -> None:
        """Close the stream."""
