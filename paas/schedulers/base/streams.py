"""What a command that somebody holds reads and writes, and what it may join."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Window(Protocol):
    """The window of whoever types: its size now, and when it changes."""

    size: tuple[int, int]  # rows, columns

    def on_resize(self, callback: Callable[[int, int], None]) -> None:
        """Call `callback(rows, columns)` when the size changes, from any thread."""


@dataclass(frozen=True)
class Streams:
    """What a command reads and writes: descriptors, so that every byte passes unchanged.

    With a `window` the command has a terminal, and `stdout` gets all it writes.
    """

    stdin: int | None  # None: no input
    stdout: int
    stderr: int
    window: Window | None = None


@dataclass(frozen=True)
class Beside:
    """Namespaces to join: those of a running container of the same app.

    With capabilities the tools run as root in their own container, with nothing but these.
    """

    container_id: str
    capabilities: tuple[str, ...] = ()  # "SYS_PTRACE"
