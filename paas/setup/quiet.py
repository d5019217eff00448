"""Ends what is still at work for an installation that leaves: deploys outlive the daemon."""

import pwd
import signal
import time
from collections.abc import Callable
from pathlib import Path

from paas import workers
from paas.errors import PaasError
from paas.settings import Settings
from paas.wiring import build_platform
from paas.workers import Worker

PATIENCE = 30.0  # seconds for a deploy to take back what it began
POLL = 0.05


def end_work(settings: Settings, report: Callable[[str], object]) -> None:
    """End deploys at work, then the doors; return when they are gone. The daemon must have ended.

    Otherwise a deploy would make folders and containers again, and the user could not be removed.
    """
    deploys = _deploys(settings, report)
    if deploys:
        report(f"ended {len(deploys)} deploys at work")
    _end(deploys)
    _end(_doors(settings))


def _deploys(settings: Settings, report: Callable[[str], object]) -> set[Worker]:
    if not settings.database.exists():
        return set()
    store = build_platform(settings).store
    try:
        found = ((d.pid, d.pid_started) for d in store.deploys.unfinished())
        return {(p, s) for p, s in found if p and s and workers.is_alive(p, s)}
    except PaasError as error:  # a damaged database keeps nobody from leaving
        report(error.message)
        return set()
    finally:
        store.close()


def _doors(settings: Settings) -> set[Worker]:
    """Return the processes of the doors' user, if setup made it: they are all the doors'."""
    try:
        user = pwd.getpwnam(settings.door_user)
    except KeyError:
        return set()
    if user.pw_dir != str(settings.door):
        return set()
    pids = [
        int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _owner(entry) == user.pw_uid
    ]
    return {(pid, started) for pid in pids if (started := workers.started_at(pid))}


def _owner(entry: Path) -> int | None:
    try:
        return entry.stat().st_uid
    except OSError:  # it ended meanwhile
        return None


def _end(processes: set[Worker]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes:
            workers.interrupt(*process, number)
        deadline = time.monotonic() + PATIENCE
        while any(workers.is_alive(*process) for process in processes):
            if time.monotonic() > deadline:
                break
            time.sleep(POLL)
