"""The background process: retire old containers, reconcile, and whatever else is due.

One process of one instance, kept alive by the supervisor. It looks and decides; what takes time is
done by forked children (paas.crew), so that nothing waits for anything else.
"""

import contextlib
import logging
import os
import select
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from paas import cron, happenings, oneoff, webhooks
from paas.crew import Crew, Job
from paas.daemon_log import log_file, put_aside
from paas.errors import EngineUnavailable, Outdated, PaasError
from paas.keys import write_authorized_keys
from paas.liveness import ASK, RESTART, Liveness
from paas.platform import Platform
from paas.reconcile import REBUILD, RETIRE, SWEEP, TEND, Reconciler
from paas.retention import PRUNE, Pruner, remove_deploy_logs, remove_orphans
from paas.schedulers.base import Watch  # noqa: TC001 - no cycle to avoid
from paas.settings import Settings
from paas.upkeep import start_refresh

OFTEN, MINUTE, HOUR = 1.0, 60.0, 3600.0  # seconds between two looks
UPKEEP, REPOS = "upkeep", "repos"  # lanes besides the reconciler's
AT_ONCE = 4  # apps that are repaired at the same time
LIMIT = 20 * MINUTE  # of a child that does upkeep

log = logging.getLogger("paas")


@dataclass(frozen=True)
class Task:
    """Something that is done every `interval` seconds."""

    name: str
    interval: float
    run: Callable[[Platform], None]


class Source(Protocol):
    """Something that may have news at any time."""

    def fileno(self) -> int:
        """Return the descriptor to wait for; below 0 while there is none."""

    def ready(self) -> None:
        """Take the news. Raises PaasError."""


class Stopped(BaseException):
    """SIGTERM came: leave whatever is being done; every task is idempotent."""


class Ears:
    """The engine's events; opened again when they end, with a pass over everything."""

    def __init__(self, platform: Platform, reconciler: Reconciler) -> None:
        self._platform = platform
        self._reconciler = reconciler
        self._watch: Watch | None = None
        self._was_told = False

    def fileno(self) -> int:
        return self._watch.fileno() if self._watch else -1

    def ready(self) -> None:
        if self._watch:
            try:
                told = self._watch.read()
                happenings.write_down(self._platform, told)
                self._reconciler.hear(told)
            except EngineUnavailable:
                self.close()
                raise

    def open(self) -> None:
        """Listen again if the engine answers; silence is logged once."""
        if self._watch:
            return
        try:
            self._watch = self._platform.scheduler.watch()
        except EngineUnavailable:
            if not self._was_told:
                self._was_told = True
                raise
        else:
            self._was_told = False
            self._platform.store.events.ring()  # what could not be told is looked for
            self._reconciler.run()

    def close(self) -> None:
        """Listen no more."""
        if self._watch:
            self._watch.close()
            self._watch = None

    def reconcile(self) -> None:
        """Do a pass, unless the engine is away: then open() does it when it is back."""
        if self._watch:
            self._reconciler.run(is_blind=False)


class Bell:
    """Rings when a child has ended. Only one at a time, in the main thread."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._heard, self._rung = os.pipe()
        for end in (self._heard, self._rung):
            os.set_blocking(end, False)
        self._before = signal.set_wakeup_fd(self._rung, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def fileno(self) -> int:
        return self._heard

    def ready(self) -> None:
        os.read(self._heard, 4096)
        self._crew.look()

    def close(self) -> None:
        """Put the signal back as it was."""
        signal.set_wakeup_fd(self._before)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.close(self._heard)
        os.close(self._rung)


def main(platform: Platform, lifeline: int) -> None:
    """Keep one instance whole until the supervisor is gone, or until SIGTERM."""
    crew = Crew(_lanes(platform.settings))
    reconciler = Reconciler(platform, submit=crew.submit)
    ears = Ears(platform, reconciler)
    with contextlib.closing(Bell(crew)) as bell:
        tasks = _tasks(platform, reconciler, ears, crew)
        run_tasks(platform, tasks, lifeline, (ears, bell), platform.store.require_known)
        crew.stop()
    with contextlib.suppress(PaasError):
        reconciler.hand_back()


def run_tasks(
    platform: Platform,
    tasks: Sequence[Task],
    lifeline: int,
    sources: Sequence[Source] = (),
    check: Callable[[], None] = lambda: None,
) -> None:
    """Run the tasks for ever; return when `lifeline` ends (the supervisor is gone) or at SIGTERM.

    Every task runs once at the start. One that fails is logged and comes again at its interval.
    While `check` raises Outdated nothing is done, and that is said once.
    """
    signal.signal(signal.SIGTERM, _stop)
    due = {task.name: 0.0 for task in tasks}
    told = ""
    with contextlib.suppress(Stopped):
        while True:
            if refusal := _refusal(check):
                if refusal != told:
                    log.warning("%s", refusal)
                told = refusal
                if select.select([lifeline], [], [], OFTEN)[0]:
                    return
                continue
            for task in tasks:
                if due[task.name] <= time.monotonic():
                    _try(task.name, lambda task=task: task.run(platform))  # type: ignore[misc] # mypy and defaults
                    due[task.name] = time.monotonic() + task.interval
            pause = max(0.0, min(due.values()) - time.monotonic())
            news = {source.fileno(): source for source in sources if source.fileno() >= 0}
            readable = select.select([lifeline, *news], [], [], pause)[0]
            if lifeline in readable:
                return
            for descriptor in readable:
                _try("events", news[descriptor].ready)


def _lanes(settings: Settings) -> dict[str, int]:
    return {
        TEND: AT_ONCE,
        RETIRE: AT_ONCE,
        REBUILD: settings.max_builds,
        SWEEP: 1,
        ASK: 1,
        RESTART: AT_ONCE,
        PRUNE: 1,
        webhooks.LANE: AT_ONCE,
        cron.LANE: AT_ONCE,
        oneoff.LANE: 1,
        UPKEEP: 1,
        REPOS: 1,
    }


def _tasks(platform: Platform, reconciler: Reconciler, ears: Ears, crew: Crew) -> tuple[Task, ...]:
    pruner = Pruner()
    liveness = Liveness(platform, submit=crew.submit)
    clock = cron.Clock(platform, submit=crew.submit)

    def forked(name: str, lane: str, run: Callable[[Platform], None]) -> Callable[[Platform], None]:
        return lambda platform: crew.submit(Job(name, lane, LIMIT, lambda: run(platform)))

    return (
        Task("listen", OFTEN, lambda _: ears.open()),
        Task("children", OFTEN, lambda _: crew.look()),
        Task("retire", OFTEN, lambda _: reconciler.retire()),
        Task("tend", OFTEN, lambda _: reconciler.tend_due()),
        Task("abandoned", OFTEN, lambda _: reconciler.tend_abandoned()),
        Task("liveness", OFTEN, lambda _: liveness.run()),
        Task("keys", HOUR, lambda p: write_authorized_keys(p.settings, p.store.keys)),
        Task("reconcile", MINUTE, lambda _: ears.reconcile()),
        Task("prune", MINUTE, lambda p: pruner.run(p, crew.submit)),
        Task("notices", OFTEN, lambda p: _submit(crew, webhooks.due_jobs(p, time.time()))),
        Task("cron", OFTEN, lambda _: clock.run()),
        Task("runs", OFTEN, lambda p: _collect(p, crew)),
        Task("orphans", HOUR, forked("orphans", UPKEEP, remove_orphans)),
        Task("tidy", MINUTE, forked("tidy", UPKEEP, lambda p: p.builder.tidy())),
        Task("repositories", MINUTE, forked("repositories", REPOS, lambda p: p.repos.sweep())),
        Task("waste", HOUR, forked("waste", REPOS, lambda p: p.repos.collect_waste())),
        Task("logs", MINUTE, lambda p: p.proxy.rotate_logs()),
        Task("own log", MINUTE, lambda p: put_aside(log_file(p.settings))),
        Task("deploy logs", HOUR, forked("deploy logs", UPKEEP, remove_deploy_logs)),
        Task("refresh", 12 * HOUR, lambda p: start_refresh(p.settings)),
    )


def _collect(platform: Platform, crew: Crew) -> None:
    """Look after one-off containers when one may want it; a job of that name may be at work."""
    if oneoff.needs_hand(platform, time.time()):
        run = lambda: oneoff.collect(platform, time.time())  # noqa: E731 - a closure that fits into the line
        crew.submit(Job("runs", oneoff.LANE, oneoff.LIMIT, run))


def _submit(crew: Crew, jobs: Iterable[Job]) -> None:
    for job in jobs:
        crew.submit(job)


def _refusal(check: Callable[[], None]) -> str:
    """Return why nothing may be done, "" if all may; what else is wrong, the tasks meet too."""
    try:
        check()
    except Outdated as error:
        return f"The background rests: {error.message} ({error.hint})"
    except PaasError:
        pass
    return ""


def _try(name: str, run: Callable[[], None]) -> None:
    try:
        run()
    except PaasError as error:
        log.warning("%s: %s (%s)", name, error.message, error.hint)
    except Exception:
        log.exception("background task %s failed", name)


def _stop(*_: object) -> None:
    raise Stopped
