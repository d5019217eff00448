"""The host's queue of builds: a file per build, locked by the process that waits or builds.

The first few that are alive build, the others wait in the order in which they came. A lock dies
with its process, so a ticket that can be locked is nobody's any more.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

POLL = 0.1  # seconds
REPEAT = 30.0  # seconds between two words on an order that has not changed
HIDDEN = "."  # a ticket that is still being written

Waiting = Callable[[Sequence["Build"]], None]


@dataclass(frozen=True)
class Build:
    """A build that runs or waits: of which app, by whom, since when (seconds since the epoch)."""

    app: str
    actor: str
    since: float

    def __str__(self) -> str:
        return f"of {self.app} (since {time.time() - self.since:.0f} s, by {self.actor})"


@contextmanager
def queued(folder: Path, places: int, build: Build, waiting: Waiting) -> Iterator[None]:
    """Hold one of the host's `places` for builds, after those that came before.

    `waiting` is told who is ahead, oldest first, whenever that changes and from time to time.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = f"{time.time_ns():020}-{os.getpid()}"
    fresh, ticket = folder / f"{HIDDEN}{name}", folder / name
    with fresh.open("xb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(OSError):  # a full disk keeps nobody from building: only the name is not told
            file.write(json.dumps([build.app, build.actor, build.since]).encode())
            file.flush()
        fresh.rename(ticket)
        try:
            _wait(ticket, places, waiting)
            yield
        finally:
            ticket.unlink(missing_ok=True)


def _wait(ticket: Path, places: int, waiting: Waiting) -> None:
    told: Sequence[Build] = ()
    told_at = 0.0
    while len(ahead := _ahead(ticket)) >= places:
        if ahead != told or time.monotonic() - told_at > REPEAT:
            waiting(ahead)
            told, told_at = ahead, time.monotonic()
        time.sleep(POLL)


def _ahead(ticket: Path) -> Sequence[Build]:
    """Return the builds before this one, and remove the tickets of processes that have died."""
    files = sorted(file for file in ticket.parent.iterdir() if file.name < ticket.name)
    return [build for file in files if (build := _read(file))]


def _read(file: Path) -> Build | None:
    """Return whose ticket it is; None for one that is nobody's."""
    with suppress(FileNotFoundError), file.open("rb") as ticket:
        try:
            fcntl.flock(ticket, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _parse(ticket.read())
        file.unlink(missing_ok=True)
    return None


def _parse(text: bytes) -> Build:
    try:
        app, actor, since = json.loads(text)
    except ValueError:  # written on a full disk
        return Build("an app", "somebody", time.time())
    return Build(str(app), str(actor), float(since))
