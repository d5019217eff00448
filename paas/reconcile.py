"""Makes what runs equal what the database says; boot, crashes and hand-made damage end here.

A look at everything is cheap and done by the background process itself. What has to be done is a
job per app, in a forked child: a slow or broken app holds up no other.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import starmap

from paas import checks, deploy, fleet, formation, oneoff, operate, rerelease, routing, workers
from paas.crew import Job, run_here
from paas.errors import Conflict, ImageMissing, NotFound, PaasError, Unavailable
from paas.hearing import Hearing
from paas.model import (
    App,
    Container,
    ContainerRole,
    DeployState,
    Desired,
)
from paas.platform import Platform
from paas.repair import Told, expected_name, is_sound, repair
from paas.schedulers.base import Event

log = logging.getLogger("paas")
TEND, SWEEP, RETIRE, REBUILD = "tend", "sweep", "retire", "rebuild"  # lanes
LIMIT = 300.0  # seconds for one job
IMAGE_IS_GONE = 3  # the status of a job whose app has to be built again
AGAIN = 5.0  # seconds between two attempts to end a deploy whose process has died
BUILD_AGAIN = 300.0  # seconds between two attempts to build
FAR = 120.0  # seconds: nothing is due later than this, unless the clock was set back
BLOCKING = {"apps:destroy", "apps:rename", "ps:stop"}  # beside these nothing may be started


class Reconciler:
    """Repairs one instance. It remembers only what may be forgotten: how long containers drain.

    `submit` gets the jobs (default: done at once, in this process).
    """

    def __init__(
        self,
        platform: Platform,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        submit: Callable[[Job], None] = lambda job: run_here([job]),
    ) -> None:
        self._platform = platform
        self._clock = clock
        self._now = now
        self._submit = submit
        self._hearing = Hearing(clock)
        self._draining: dict[str, float] = {}  # container id -> first seen
        # An app, and a dead process that was at work on it -> when the app was tended.
        self._abandoned: dict[tuple[int, int | None, int | None], float] = {}

    def run(self, *, is_blind: bool = True) -> None:
        """Do one whole pass. One broken app stops nobody. Raises Unavailable.

        `is_blind` says that no events were read before: then nothing is taken for a crash.
        """
        told = Told(is_blind=True) if is_blind else self._hearing.told()
        for app in self.survey():
            self.tend_soon(app, told)
        self._submit(Job("sweep", SWEEP, LIMIT, self.sweep))

    def hear(self, events: Sequence[Event]) -> None:
        """Tend the apps to whose current processes something has happened."""
        ids = self._hearing.hear(events)
        rows = self._platform.store.containers.list() if ids else ()
        for app_id in {row.app_id for row in rows if row.id in ids and _is_current(row)}:
            with _tolerating(f"app {app_id}"):
                self.tend_soon(self._platform.store.apps.by_id(app_id), self._hearing.told())

    def survey(self) -> tuple[App, ...]:
        """Return the apps that need a hand: a deploy that may have died, a process that is off."""
        store = self._platform.store
        observed = {c.id: c for c in self._platform.scheduler.containers()}
        unfinished = {record.app_id for record in store.deploys.unfinished()}
        current: dict[int, list[Container]] = defaultdict(list)
        for row in store.containers.list():
            if _is_current(row):
                current[row.app_id].append(row)
        return tuple(
            app
            for app in store.apps.list()
            if app.id in unfinished
            or (
                app.desired is Desired.RUNNING
                and not all(
                    is_sound(self._platform, app, row, observed.get(row.id))
                    for row in current[app.id]
                )
            )
        )

    def tend_soon(self, app: App, told: Told) -> None:
        """Submit the app's repair, and the build that it may turn out to need."""

        def then(status: int) -> None:
            if status == IMAGE_IS_GONE:
                limit = self._platform.settings.build_timeout + LIMIT
                job = Job(f"rebuild {app.name}", REBUILD, limit, lambda: self.rebuild(app.id))
                self._submit(job)

        run = lambda: self.tend(app.id, told)  # noqa: E731 - a closure that fits into the line
        self._submit(Job(f"tend {app.name}", TEND, LIMIT, run, then, repeats=True))

    def tend(self, app_id: int, told: Told) -> int:
        """Recover the app's deploys, then repair its processes; return 0 or IMAGE_IS_GONE."""
        with _tolerating(f"app {app_id}"):
            app = self._platform.store.apps.by_id(app_id)
            if any(r.app_id == app_id for r in self._platform.store.deploys.unfinished()):
                with _free(self._platform, app):
                    deploy.end_abandoned(self._platform, app)
            pusher = self._platform.store.apps.unborn().get(app_id)
            if pusher and not workers.is_alive(*pusher):
                log.warning("removing %s, whose first push died", app.name)
                operate.destroy(self._platform, app, unborn_of=pusher)
        with _tolerating(f"app {app_id}"), _beside(self._platform, app_id) as beside:
            app = self._platform.store.apps.by_id(app_id)
            try:
                repair(self._platform, app, self._now(), told, beside=beside)
            except ImageMissing:
                return self._tell_image_is_gone(app)
        return 0

    def tend_abandoned(self) -> None:
        """Tend the apps whose deploy or first push has died, at once and every few seconds."""
        store = self._platform.store
        work = {(r.app_id, r.pid, r.pid_started) for r in store.deploys.unfinished()}
        work |= {(app_id, *pusher) for app_id, pusher in store.apps.unborn().items()}
        dead = {each for each in work if not workers.is_alive(*each[1:])}
        tended = {each: self._abandoned.get(each, -AGAIN) for each in dead}
        for each in dead:
            if self._clock() >= tended[each] + AGAIN:
                tended[each] = self._clock()
                with _tolerating(f"app {each[0]}"):
                    self.tend_soon(store.apps.by_id(each[0]), self._hearing.told())
        self._abandoned = tended

    def tend_due(self) -> None:
        """Tend the apps whose processes are to be looked after by now."""
        now = self._now()
        due = {
            row.app_id
            for row in self._platform.store.containers.list()
            if _is_current(row)
            and row.trouble
            and not row.is_parked
            and not now < row.due < now + FAR + BUILD_AGAIN
        }
        for app_id in due:
            with _tolerating(f"app {app_id}"):
                app = self._platform.store.apps.by_id(app_id)
                if app.desired is Desired.RUNNING:
                    self.tend_soon(app, self._hearing.told())

    def hand_back(self) -> None:
        """Let the engine keep what paas restarts itself, for the time that paas is not there."""
        rows = self._platform.store.containers.list()
        flapping = [r.id for r in rows if _is_current(r) and r.trouble and not r.is_parked]
        self._platform.scheduler.keep([container_id for container_id in flapping if container_id])

    def rebuild(self, app_id: int) -> None:
        """Build and deploy again what an app runs, since its image is gone."""
        with _tolerating(f"app {app_id}"):
            app = self._platform.store.apps.by_id(app_id)
            try:
                rerelease.rebuild_current(self._platform, app)
            except (Unavailable, Conflict):
                raise
            except PaasError as error:
                why = f"its image is gone, and building it again failed: {error.message}"
                self._say_of_all(app, why, self._now() + BUILD_AGAIN)

    def sweep(self) -> None:
        """Remove what nobody wants, and make vhosts and routes equal to the database."""
        with _tolerating("containers"):
            self.remove_orphans()
        self.restore_routes()

    def remove_orphans(self) -> None:
        """Remove containers that no row and no deploy at work knows."""
        platform = self._platform
        observed = platform.scheduler.containers()  # first: what comes later is not looked at
        rows = platform.store.containers.list()
        apps = {app.id: app for app in platform.store.apps.list()}
        ids = {row.id for row in rows} | {run.container_id for run in platform.store.runs.open()}
        # A container that is being made for a row has its name, and an id that is not stored yet.
        names = {expected_name(platform, apps[r.app_id], r) for r in rows if r.app_id in apps}
        names |= oneoff.container_names(platform)
        live = {record.id for record in platform.store.deploys.unfinished()}
        orphans = [
            c.id
            for c in observed
            if c.id not in ids and c.name not in names and fleet.deploy_of(c.name) not in live
        ]
        if orphans:
            log.warning("removing %d containers that nobody wants", len(orphans))
            platform.scheduler.stop(orphans, timeout=1)

    def restore_routes(self) -> None:
        """Make vhosts and routes equal to what the database says."""
        routing.restore_all(self._platform)

    def retire(self) -> None:
        """Remove draining containers whose own connections have ended, or whose time is up."""
        store = self._platform.store
        # Until a switch is finished, traffic may still go to what it replaced.
        switching = {
            record.app_id
            for record in store.deploys.unfinished()
            if record.state is DeployState.SWITCHED
        }
        rows = [
            row
            for row in store.containers.list()
            if row.role is ContainerRole.DRAINING and row.app_id not in switching
        ]
        self._draining = {r.id: self._draining.get(r.id, self._clock()) for r in rows}
        done = defaultdict(list)
        for row in rows:
            if self._is_drained(row):
                done[row.app_id].append(row)
        for job in starmap(self._removal, done.items()):
            self._submit(job)

    def _removal(self, app_id: int, rows: Sequence[Container]) -> Job:
        timeout = formation.stop_timeout(self._platform, app_id)
        run = lambda: fleet.remove(self._platform, rows, timeout)  # noqa: E731 - as above
        return Job(f"retire {app_id}", RETIRE, timeout + LIMIT, run)

    def _tell_image_is_gone(self, app: App) -> int:
        release = self._platform.store.releases.current(app.id)
        if release is None or release.commit is None:
            why = f"its image is gone, and no source is kept: push to {app.name} again"
            self._say_of_all(app, why, self._now() + FAR)
            return 0
        why = f"its image is gone; it is built again from {release.commit[:7]}"
        self._say_of_all(app, why, self._now() + FAR)
        return IMAGE_IS_GONE

    def _say_of_all(self, app: App, why: str, due: float) -> None:
        """Say it of every process that does not run."""
        for row in self._platform.store.containers.of(app.id, ContainerRole.CURRENT):
            seen = self._platform.scheduler.inspect(row.id) if row.id else None
            if not is_sound(self._platform, app, row, seen):
                log.warning("%s: %s: %s", app.name, row.process, why)
                self._platform.store.recovery.trouble(row, why, due)

    def _is_drained(self, row: Container) -> bool:
        waited = self._clock() - self._draining[row.id]
        if waited >= checks.drain_timeout(self._platform, row.app_id):
            return True
        # A request may be on its way through nginx: look only after a moment.
        return waited >= 1 and not self._platform.scheduler.connections(row.id, row.port)


@contextmanager
def _free(platform: Platform, app: App) -> Iterator[None]:
    """Hold the app's lock, or raise Conflict: whoever works on the app repairs it itself."""
    with platform.locks.app(app.id, "paas", "reconcile", patience=0):
        yield


@contextmanager
def _beside(platform: Platform, app_id: int) -> Iterator[bool]:
    """Hold the app's lock, or work beside a deploy (True): a long build must not keep it down.

    Raises Conflict beside a command that stops the app.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(platform.locks.app(app_id, "paas", "reconcile", patience=0))
            beside = False
        except Conflict:
            holder = platform.locks.holder(app_id)
            if holder and holder.reason in BLOCKING:
                raise
            beside = True
        yield beside


@contextmanager
def _tolerating(what: str) -> Iterator[None]:
    """Go on with the next app after an error of this one; an engine that is gone ends the pass."""
    try:
        yield
    except Unavailable:
        raise
    except (Conflict, NotFound):
        return
    except PaasError as error:
        log.warning("%s: %s", what, error.message)
    except Exception:
        log.exception("%s cannot be repaired", what)


def _is_current(row: Container) -> bool:
    return row.role is ContainerRole.CURRENT
