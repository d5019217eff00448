"""The processes that work on deploys: naming one for ever, waking it, and shielding it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTED = 19  # field 22 of proc(5), counted from behind the name
Worker = tuple[int, int]  # a process for ever: its pid, and when it was started
SHIELDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def started_at(pid: int) -> int | None:
    """Return when a process was started (clock ticks since boot), None if there is no such one.

    A pid is used again, a pid with its start is not (proc(5)). A zombie is no process any more.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else int(fields[STARTED - 1])


def this_process() -> Worker:
    """Return this process."""
    pid = os.getpid()
    started = started_at(pid)
    if started is None:
        raise RuntimeError("/proc does not know this process")
    return pid, started


def is_alive(pid: int | None, started: int | None) -> bool:
    """Whether the process that was named by both still runs."""
    return pid is not None and started is not None and started_at(pid) == started


def interrupt(pid: int, started: int, number: signal.Signals = signal.SIGTERM) -> None:
    """Send a signal to exactly this process; one that is gone is no error.

    The pidfd holds on to the process, so it cannot become another one between look and signal.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if started_at(pid) == started:
            signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return
    finally:
        os.close(descriptor)


@contextmanager
def shielded() -> Iterator[None]:
    """Let no signal tear the body apart: what comes meanwhile is dropped.

    Only the main thread can say so, and only it gets signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in SHIELDED}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
