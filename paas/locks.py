"""flock on one file per app, held by the process that works: it dies with it, nothing is stale."""

import fcntl
import json
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from paas.build_queue import Build, Waiting, queued
from paas.errors import Conflict

POLL = 0.1  # seconds
FLOCK = "hhqqi4x"  # struct flock of fcntl(2), with off_t of 64 bits
PATIENCE = 2.0  # seconds: the reconciler holds locks for moments


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, and since when (seconds since the epoch)."""

    actor: str
    reason: str
    since: float

    def __str__(self) -> str:
        return f"{self.reason} by {self.actor}, started {time.time() - self.since:.0f} s ago"


class Locks:
    """The locks of one instance. One holder works per app, one waits, the newest waiter wins.

    `patience` is how long a command waits for an app's lock, unless it says otherwise.
    """

    def __init__(self, directory: Path, patience: float = PATIENCE) -> None:
        self._directory = directory
        self._patience = patience

    @contextmanager
    def app(
        self,
        app_id: int,
        actor: str,
        reason: str,
        *,
        waiting: Callable[[Holder], None] | None = None,
        patience: float | None = None,
    ) -> Iterator[None]:
        """Hold the app's lock; if it is not free within `patience` seconds, wait or give up.

        With `waiting`, that is called once and the lock is waited for, until a newer waiter comes.
        Raises Conflict without `waiting`, and when a newer waiter took the place.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._directory / f"app-{app_id}.lock", "a+b") as file:  # noqa: PTH123 - flock wants a descriptor
            limit = self._patience if patience is None else patience
            if not _try_lock_for(file.fileno(), limit):
                holder = _read_holder(file.fileno())
                if waiting is None:
                    raise Conflict(
                        f"Another command is at work on this app ({holder})",
                        hint="Wait until it has ended, then try again.",
                    )
                self._wait(app_id, actor, file.fileno(), lambda: waiting(holder))
            _write_holder(file.fileno(), Holder(actor, reason, time.time()))
            try:
                yield
            finally:
                os.ftruncate(file.fileno(), 0)

    def build_slot(
        self, places: int, build: Build, waiting: Waiting
    ) -> AbstractContextManager[None]:
        """Hold one of the host's places for builds; see build_queue.queued()."""
        return queued(self._directory / "builds", places, build, waiting)

    @contextmanager
    def place(self, fingerprint: str, places: int) -> Iterator[None]:
        """Hold one of the places that the commands of an ssh key share. Raises Conflict."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self._place_file(fingerprint), "ab") as file:  # noqa: PTH123 - as above
            if not any(_try_byte(file.fileno(), place) for place in range(places)):
                raise Conflict(
                    f"{places} commands of this key are at work already",
                    hint="Wait until some have ended, then try again.",
                )
            yield

    def at_work(self, fingerprint: str, places: int) -> tuple[int, ...]:
        """Return the processes that hold a place of this key, but not this one."""
        path = self._place_file(fingerprint)
        if not path.exists():
            return ()
        with open(path, "ab") as file:  # noqa: PTH123 - as above
            found = {_holder_of_byte(file.fileno(), place) for place in range(places)}
        return tuple(pid for pid in found if pid)

    def _place_file(self, fingerprint: str) -> Path:
        return self._directory / f"key-{fingerprint.replace('/', '-')}.lock"

    def holder(self, app_id: int) -> Holder | None:
        """Return who holds the app's lock, None when it is free."""
        path = self._directory / f"app-{app_id}.lock"
        if not path.exists():
            return None
        with open(path, "a+b") as file:  # noqa: PTH123 - as above
            return None if _try_lock(file.fileno()) else _read_holder(file.fileno())

    def _wait(self, app_id: int, actor: str, descriptor: int, waiting: Callable[[], None]) -> None:
        """Wait for the lock as the only waiter: the newest ticket wins, an older one gives up."""
        ticket_file = self._directory / f"app-{app_id}.next"
        ticket = f"{time.time_ns()}-{os.getpid()} {actor}"
        ticket_file.write_text(ticket)
        waiting()
        while not _try_lock(descriptor):
            time.sleep(POLL)
            if (newest := ticket_file.read_text()) != ticket:
                by = newest.partition(" ")[2] or "somebody"
                raise Conflict(
                    f"A newer push to this app, by {by}, took this one's place in the queue;"
                    f" at work is the {_read_holder(descriptor)}",
                    hint="Push again if yours is the one to keep.",
                )


def _try_lock_for(descriptor: int, patience: float) -> bool:
    until = time.monotonic() + patience
    while not (locked := _try_lock(descriptor)) and time.monotonic() < until:
        time.sleep(POLL)
    return locked


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_byte(descriptor: int, place: int) -> bool:
    """Lock one byte of a file (fcntl(2)), which may lie behind its end; it dies with us too."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
    except OSError:
        return False
    return True


def _holder_of_byte(descriptor: int, place: int) -> int:
    """Return the process that has locked a byte; 0 for none, and for ourselves (fcntl(2))."""
    question = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, place, 1, 0)
    kind, _, _, _, pid = struct.unpack(FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, question))
    return 0 if kind == fcntl.F_UNLCK else int(pid)


def _write_holder(descriptor: int, holder: Holder) -> None:
    os.ftruncate(descriptor, 0)
    with suppress(OSError):  # a full disk keeps nobody from working: only the name is not told
        os.write(descriptor, json.dumps([holder.actor, holder.reason, holder.since]).encode())


def _read_holder(descriptor: int) -> Holder:
    text = os.pread(descriptor, 4096, 0).decode(errors="replace")
    try:
        actor, reason, since = json.loads(text)
    except ValueError:  # the holder has not written its name yet
        return Holder("somebody", "a command", time.time())
    return Holder(str(actor), str(reason), float(since))
