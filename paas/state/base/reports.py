"""What is told of an app: by its log, to listeners, to webhooks."""

from collections.abc import Collection, Sequence
from typing import Protocol

from paas.model import (
    AppEvent,
    JournalLine,
    Notice,
)


class Journal(Protocol):
    """What paas itself has to say among an app's log lines."""

    def add(self, app: int, text: str) -> None:
        """Add a line; the oldest beyond 500 are dropped."""

    def read(self, app: int, lines: int, after: int = 0) -> Sequence[JournalLine]:
        """Return the last lines whose id is larger than `after`, oldest first."""


class Ear(Protocol):
    """Hears when the database has changed, until it is closed."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when something has changed."""

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for a change since the last call; False when time is up, or when it was closed."""

    def close(self) -> None:
        """Listen no more; who waits is not woken by that."""


class Events(Protocol):
    """What happened to apps, and on the instance. The oldest beyond 10,000 are dropped.

    Our own are written in the transactions that make them true.
    """

    def add(self, events: Sequence[AppEvent]) -> None:
        """Add what was seen outside, such as the engine's events."""

    def read(
        self, limit: int, after: int = 0, apps: Collection[str] | None = None
    ) -> Sequence[AppEvent]:
        """Return the last events whose id is larger than `after`, oldest first.

        `apps` are the names whose events are wanted (default: all, and those of no app).
        """

    def listen(self) -> Ear:
        """Listen for changes of the database from now on: no polling, and nothing is missed."""

    def ring(self) -> None:
        """Wake all that listen, as every change does."""


class Notices(Protocol):
    """Notices on their way out. They are queued in the transaction that makes them true."""

    def due(self, now: float, limit: int) -> Sequence[Notice]:
        """Return the oldest notices that are to be sent by now."""

    def is_due(self, now: float) -> bool:
        """Return whether there are any."""

    def done(self, notice: int) -> None:
        """Forget a notice: it was delivered, or given up."""

    def retry(self, notice: int, due: float, error: str) -> None:
        """Count an attempt, and say when the next one is due should this one fail."""

    def explain(self, notice: int, error: str) -> None:
        """Say why the last attempt failed."""

    def waiting(self) -> tuple[int, str]:
        """Return how many wait, and the error of the last attempt that failed."""
