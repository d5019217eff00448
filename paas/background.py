"""The background process: retire old containers, reconcile, and whatever else is due.

One process of one instance, kept alive by the supervisor; it works one task at a time.
"""

import contextlib
import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from paas.platform import Platform
from paas.reconcile import Reconciler
from paas.settings import Settings

RETIRE, RECONCILE = 1.0, 60.0  # seconds between two looks

log = logging.getLogger("paas")


@dataclass(frozen=True)
class Task:
    """Something that is done every `interval` seconds; at once when `wakes` and someone asks."""

    name: str
    interval: float
    run: Callable[[Platform], None]
    wakes: bool = False


class Stopped(BaseException):
    """SIGTERM came: leave whatever is being done; every task is idempotent."""


def main(platform: Platform, lifeline: int) -> None:
    """Keep one instance whole until the supervisor is gone, or until SIGTERM."""
    reconciler = Reconciler(platform)
    tasks = (
        Task("retire", RETIRE, lambda _: reconciler.retire(), wakes=True),
        Task("reconcile", RECONCILE, lambda _: reconciler.run()),
    )
    run_tasks(platform, tasks, lifeline)


def wake(settings: Settings) -> None:
    """Ask the background process to run its `wakes` tasks now; without one, nothing is lost.

    A command calls it after it has left something to do, such as containers to drain.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell, contextlib.suppress(OSError):
        bell.setblocking(False)
        bell.sendto(b"!", str(bell_path(settings)))


def bell_path(settings: Settings) -> Path:
    """Return the datagram socket that wakes the background process."""
    return settings.run / "background.sock"


def run_tasks(platform: Platform, tasks: Sequence[Task], lifeline: int) -> None:
    """Run the tasks for ever; return when `lifeline` ends (the supervisor is gone) or at SIGTERM.

    Every task runs once at the start. One that fails is logged and comes again at its interval.
    """
    signal.signal(signal.SIGTERM, _stop)
    with contextlib.suppress(Stopped), _listen(bell_path(platform.settings)) as bell:
        selector = selectors.DefaultSelector()
        selector.register(bell, selectors.EVENT_READ)
        selector.register(lifeline, selectors.EVENT_READ)
        due = {task.name: 0.0 for task in tasks}
        while True:
            for task in tasks:
                if due[task.name] <= time.monotonic():
                    _run(task, platform)
                    due[task.name] = time.monotonic() + task.interval
            pause = max(0.0, min(due.values()) - time.monotonic()) if due else None
            rung = [key.fileobj for key, _ in selector.select(pause)]
            if lifeline in rung:
                return
            if bell in rung:
                _drain(bell)
                due |= {task.name: 0.0 for task in tasks if task.wakes}


def _run(task: Task, platform: Platform) -> None:
    try:
        task.run(platform)
    except Exception:
        log.exception("background task %s failed", task.name)


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bell.bind(str(path))
    os.chmod(path, 0o600)  # noqa: PTH101 - the path is a socket's address here
    bell.setblocking(False)
    return bell


def _drain(bell: socket.socket) -> None:
    with contextlib.suppress(BlockingIOError):
        while bell.recv(16):
            pass


def _stop(*_: object) -> None:
    raise Stopped
