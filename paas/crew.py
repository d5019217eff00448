"""Work in forked children: bounded per lane, each with a time limit, so that nothing blocks others.

A child has its own connections and may be killed at any instant; every job is idempotent.
"""

import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from paas.errors import PaasError

FAILED = 1
log = logging.getLogger("paas")


def do_nothing(_status: int) -> None:
    """Take no notice of how a job ended."""


@dataclass(frozen=True)
class Job:
    """Something to do. Jobs of one name are never at work at the same time.

    `run` returns a status (None: 0), which `then` gets in the process that submitted the job.
    """

    name: str
    lane: str
    limit: float  # seconds; then it is killed
    run: Callable[[], int | None]
    then: Callable[[int], None] = do_nothing
    repeats: bool = False  # submitted while it is at work: do it once more afterwards


@dataclass
class Worker:
    """A child at work on a job."""

    job: Job
    pid: int
    until: float  # monotonic
    again: Job | None = None


class Crew:
    """Runs jobs in children of this process; `lanes` says how many at a time in each lane."""

    def __init__(self, lanes: Mapping[str, int]) -> None:
        self._lanes = lanes
        self._waiting: deque[Job] = deque()
        self._workers: list[Worker] = []

    def submit(self, job: Job) -> None:
        """Start the job as soon as its lane has room; one of that name that waits is enough."""
        for worker in self._workers:
            if worker.job.name == job.name:
                worker.again = job if job.repeats else worker.again
                return
        if all(waiting.name != job.name for waiting in self._waiting):
            self._waiting.append(job)
        self._start_waiting()

    def look(self) -> None:
        """Reap who has ended, kill who is over the limit, start who waits."""
        for worker in tuple(self._workers):
            if self._has_ended(worker):
                self._workers.remove(worker)
                if worker.again:
                    self.submit(worker.again)
        self._start_waiting()

    def busy(self) -> tuple[str, ...]:
        """Return the names of the jobs that are at work or wait."""
        return tuple(each.name for each in (*(w.job for w in self._workers), *self._waiting))

    def stop(self) -> None:
        """End all work; what was half done is found and done by the next process."""
        self._waiting.clear()
        for worker in self._workers:
            _kill(worker.pid, signal.SIGTERM)
        self._workers.clear()

    def _start_waiting(self) -> None:
        for job in tuple(self._waiting):
            at_work = sum(worker.job.lane == job.lane for worker in self._workers)
            if at_work < self._lanes[job.lane]:
                self._waiting.remove(job)
                self._start(job)

    def _start(self, job: Job) -> None:
        # A TERM that comes before the child has its own handlers would meet ours, and be lost.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            pid = os.fork()
            if pid == 0:
                _work(job, mask)
        except OSError as error:
            log.error("cannot fork for %s: %s", job.name, error)  # noqa: TRY400 - the cause is all there is to say
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._workers.append(Worker(job, pid, time.monotonic() + job.limit))

    def _has_ended(self, worker: Worker) -> bool:
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        if pid == 0:
            if time.monotonic() > worker.until:
                log.warning("%s took longer than %.0f s", worker.job.name, worker.job.limit)
                _kill(worker.pid, signal.SIGKILL)
            return False
        worker.job.then(os.waitstatus_to_exitcode(status))
        return True


def run_here(jobs: Iterable[Job]) -> None:
    """Do jobs one after the other in this process. Raises what they raise."""
    for job in jobs:
        job.then(job.run() or 0)


def _work(job: Job, mask: Iterable[int]) -> None:
    """Be the child: a session of its own, so that what it starts can be ended with it."""
    status = FAILED
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        Path("/proc/self/comm").write_text("paas-worker")
        status = job.run() or 0
    except PaasError as error:
        log.warning("%s: %s (%s)", job.name, error.message, error.hint)
    except BaseException:
        log.exception("%s failed", job.name)
    finally:
        os._exit(status)


def _kill(pid: int, number: signal.Signals) -> None:
    """Signal the child's group; a child that has not made one yet alone."""
    with suppress(ProcessLookupError):
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            os.kill(pid, number)
