"""Makes what runs equal what the database says; boot, crashes and hand-made damage end here."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from paas import deploy, fleet, routing
from paas.errors import Conflict, NotFound, PaasError, Unavailable
from paas.model import App, Container, ContainerRole, Deploy, DeployState, Desired, ProcessState
from paas.platform import Platform
from paas.schedulers.base import Observed

log = logging.getLogger(__name__)
DEAD = {ProcessState.EXITED, ProcessState.MISSING, ProcessState.CREATED}
LONGEST_PAUSE = 60.0  # seconds between two attempts to revive a process


class Reconciler:
    """Repairs one instance. It remembers only what may be forgotten: pauses and drain times."""

    def __init__(self, platform: Platform, clock: Callable[[], float] = time.monotonic) -> None:
        self._platform = platform
        self._clock = clock
        self._draining: dict[str, float] = {}  # container id -> first seen
        self._revivals: dict[str, tuple[int, float]] = {}  # process name -> (attempts, not before)

    def run(self) -> None:
        """Do one whole pass. One broken app stops nobody."""
        self.recover()
        observed = {c.id: c for c in self._platform.scheduler.containers()}
        for app in self._platform.store.apps.list():
            with _tolerating(app.name), _free(self._platform, app):
                self.repair(app, observed)
        self.remove_orphans(tuple(observed.values()))
        self.restore_routes()
        self._platform.repos.sweep()

    def recover(self) -> None:
        """End the deploys whose process has died: undo before the commit point, else finish."""
        for record in self._platform.store.deploys.unfinished():
            with _tolerating(f"deploy {record.id}"):
                app = self._platform.store.apps.by_id(record.app_id)
                with _free(self._platform, app):
                    self._recover_one(app, self._platform.store.deploys.get(record.id))

    def repair(self, app: App, observed: dict[str, Observed]) -> None:
        """Start again the current processes of an app that are gone."""
        release = self._platform.store.releases.current(app.id)
        if app.desired is Desired.STOPPED or release is None:
            return
        for row in self._platform.store.containers.of(app.id, ContainerRole.CURRENT):
            state = observed[row.id].state if row.id in observed else ProcessState.MISSING
            if state in DEAD and self._may_revive(row):
                log.warning("%s: %s is %s; starting it again", app.name, row.process, state)
                fleet.revive(self._platform, app, row, release)

    def remove_orphans(self, observed: tuple[Observed, ...]) -> None:
        """Remove containers that no row and no deploy at work knows."""
        known = {row.id for row in self._platform.store.containers.list()}
        live = {record.id for record in self._platform.store.deploys.unfinished()}
        orphans = [c.id for c in observed if c.id not in known and _deploy_of(c.name) not in live]
        if orphans:
            log.warning("removing %d containers that nobody wants", len(orphans))
            self._platform.scheduler.stop(orphans, timeout=1)

    def restore_routes(self) -> None:
        """Make vhosts and routes equal to what the database says."""
        platform = self._platform

        def deployed() -> list[App]:
            return [app for app in platform.store.apps.list() if app.version is not None]

        platform.proxy.restore(
            lambda: [routing.site_of(platform, app) for app in deployed()],
            lambda: {app.name: routing.routes_of(platform, app) for app in deployed()},
        )

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
        done = [row for row in rows if self._is_drained(row)]
        if done:
            fleet.remove(self._platform, done, timeout=self._platform.settings.stop_timeout)

    def _recover_one(self, app: App, record: Deploy) -> None:
        if record.state is DeployState.SWITCHED:
            log.warning("%s: finishing deploy %d, whose process died", app.name, record.id)
            deploy.finish(self._platform, record)
        elif not record.state.is_final:
            log.warning("%s: undoing deploy %d, whose process died", app.name, record.id)
            cause = f"interrupted while {record.state}"
            deploy.undo(self._platform, app, record, cause, cancelled=False)

    def _may_revive(self, row: Container) -> bool:
        """Whether enough time has passed since the last attempt: 1, 2, 4 ... 60 seconds."""
        name = f"{row.app_id}.{row.process}"
        attempts, not_before = self._revivals.get(name, (0, 0.0))
        if self._clock() < not_before:
            return False
        pause = min(2.0**attempts, LONGEST_PAUSE)
        self._revivals[name] = (attempts + 1, self._clock() + pause)
        return True

    def _is_drained(self, row: Container) -> bool:
        waited = self._clock() - self._draining[row.id]
        if waited >= self._platform.settings.drain_timeout:
            return True
        # A request may be on its way through nginx: look only after a moment.
        return waited >= 1 and not self._platform.scheduler.connections(row.id, row.port)


@contextmanager
def _free(platform: Platform, app: App) -> Iterator[None]:
    """Hold the app's lock, or raise Conflict: whoever works on the app repairs it itself."""
    with platform.locks.app(app.id, "paas", "reconcile", patience=0):
        yield


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


def _deploy_of(container_name: str) -> int | None:
    last = container_name.rpartition(".")[2]
    return int(last) if last.isascii() and last.isdigit() else None
