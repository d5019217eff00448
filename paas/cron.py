"""Cron: whose minute has come, and starting it once. What came of it is kept by paas.oneoff.

The database lets no minute of a job begin twice, so that a daemon that starts anew may look at the
current minute again. Minutes that passed while paas was down are left out.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from paas import oneoff
from paas.crew import Job
from paas.errors import Conflict, NotFound
from paas.manifest import Overlap
from paas.model import SYSTEM, Actor, App
from paas.platform import Platform
from paas.schedule import MINUTE, parse_schedule
from paas.tasks import CronJob, Errand, Run, RunKind
from paas.verb import current_release

TOPIC, MAINTENANCE, SUSPENDED = "cron", "maintenance", "suspended."
LANE = "cron"
LIMIT = 120.0  # seconds to start one
LATE = 5  # minutes that a busy background process makes up for
ON = "true"


class Clock:
    """Looks once a minute which jobs are due. `submit` gets what starts them."""

    def __init__(
        self,
        platform: Platform,
        submit: Callable[[Job], None],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._platform = platform
        self._submit = submit
        self._now = now
        self._looked = int(now() // MINUTE) - 1  # the last minute that was looked at

    def run(self) -> None:
        """Submit the jobs whose minutes have come since the last look."""
        minute = int(self._now() // MINUTE)
        if minute == self._looked:
            return
        behind = minute - self._looked
        first = self._looked + 1 if 0 < behind <= LATE else minute  # a clock that jumped: only now
        for job in self._platform.store.cron.list():
            schedule = parse_schedule(job.task.schedule)
            due = [m * MINUTE for m in range(first, minute + 1) if schedule.matches(m * MINUTE)]
            if due and not is_suspended(self._platform, job):
                self._submit(_start(self._platform, job, due[-1]))
        self._looked = minute


def errand(platform: Platform, app: App, job: CronJob, actor: Actor, kind: RunKind) -> Errand:
    """Return the job as something to run once. Raises NotFound before the first push."""
    release = current_release(platform, app)
    line = oneoff.command_line(release, (job.task.command,))
    return Errand(kind, line, actor.name, oneoff.DAY, job=job.id)


def start_due(platform: Platform, job: CronJob, scheduled: float) -> None:
    """Start a job whose minute has come, as its policy for overlaps wants; once only."""
    try:
        app = platform.store.apps.by_id(job.app_id)
        release = current_release(platform, app)
    except NotFound:  # destroyed at this moment
        return
    due = replace(errand(platform, app, job, SYSTEM, RunKind.CRON), scheduled=scheduled)
    running = _running(platform, job)
    if running and job.task.overlap is Overlap.FORBID:
        why = f"was skipped: {running[0].process} still runs"
        platform.store.runs.skip(app.id, due, release.version, why)
        return
    try:
        oneoff.leave(platform, app, due, before=lambda run: _make_room(platform, job, run))
    except Conflict as error:  # too many run; or this minute was begun by another process
        platform.store.runs.skip(app.id, due, release.version, f"was skipped: {error.message}")


def find(platform: Platform, app: App, name: str) -> CronJob:
    """Return the app's job with this id. Raises NotFound."""
    for job in platform.store.cron.of(app.id):
        if job.id == name:
            return job
    raise NotFound(f"{app.name} has no job {name}", hint=f"See cron:list {app.name}")


def is_suspended(platform: Platform, job: CronJob) -> bool:
    """Whether its schedule is not followed: one job, an app, or all."""
    own = platform.store.properties.get(job.app_id, TOPIC)
    of_all = platform.store.properties.get(None, TOPIC)
    return (
        job.task.maintenance
        or ON in {own.get(MAINTENANCE), of_all.get(MAINTENANCE)}
        or f"{SUSPENDED}{job.id}" in own
    )


def suspend(platform: Platform, job: CronJob, *, is_on: bool) -> None:
    """Stop following the job's schedule, or follow it again."""
    value = ON if is_on else None
    platform.store.properties.set(job.app_id, TOPIC, f"{SUSPENDED}{job.id}", value)


def _running(platform: Platform, job: CronJob) -> list[Run]:
    return [run for run in platform.store.runs.open(job.app_id) if run.job == job.id]


def _make_room(platform: Platform, job: CronJob, new: Run) -> None:
    if job.task.overlap is Overlap.REPLACE:
        for run in _running(platform, job):
            if run.id != new.id:
                oneoff.stop(platform, run, f"{new.process} took its place")


def _start(platform: Platform, job: CronJob, scheduled: float) -> Job:
    name = f"cron {job.app_id} {job.id} {scheduled:.0f}"
    return Job(name, LANE, LIMIT, lambda: start_due(platform, job, scheduled))
