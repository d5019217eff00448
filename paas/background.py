"""The background process: retire old containers, reconcile, and whatever else is due.

One process of one instance, kept alive by the supervisor; it works one task at a time.
"""

import contextlib
import logging
import select
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paas.errors import PaasError
from paas.platform import Platform
from paas.reconcile import Reconciler
from paas.upkeep import start_refresh

RETIRE, RECONCILE, TIDY, REFRESH = 1.0, 60.0, 60.0, 12 * 3600.0  # seconds between two looks

log = logging.getLogger("paas")


@dataclass(frozen=True)
class Task:
    """Something that is done every `interval` seconds."""

    name: str
    interval: float
    run: Callable[[Platform], None]


class Stopped(BaseException):
    """SIGTERM came: leave whatever is being done; every task is idempotent."""


def main(platform: Platform, lifeline: int) -> None:
    """Keep one instance whole until the supervisor is gone, or until SIGTERM."""
    reconciler = Reconciler(platform)
    tasks = (
        Task("retire", RETIRE, lambda _: reconciler.retire()),
        Task("reconcile", RECONCILE, lambda _: reconciler.run()),
        Task("tidy", TIDY, lambda _: platform.builder.tidy()),
        Task("refresh", REFRESH, lambda p: start_refresh(p.settings)),
    )
    run_tasks(platform, tasks, lifeline)


def run_tasks(platform: Platform, tasks: Sequence[Task], lifeline: int) -> None:
    """Run the tasks for ever; return when `lifeline` ends (the supervisor is gone) or at SIGTERM.

    Every task runs once at the start. One that fails is logged and comes again at its interval.
    """
    signal.signal(signal.SIGTERM, _stop)
    due = {task.name: 0.0 for task in tasks}
    with contextlib.suppress(Stopped):
        while True:
            for task in tasks:
                if due[task.name] <= time.monotonic():
                    _run(task, platform)
                    due[task.name] = time.monotonic() + task.interval
            pause = max(0.0, min(due.values()) - time.monotonic())
            if select.select([lifeline], [], [], pause)[0]:
                return


def _run(task: Task, platform: Platform) -> None:
    try:
        task.run(platform)
    except PaasError as error:
        log.warning("%s: %s (%s)", task.name, error.message, error.hint)
    except Exception:
        log.exception("background task %s failed", task.name)


def _stop(*_: object) -> None:
    raise Stopped
