"""Verbs that change which processes run, on the release that is there."""

from collections.abc import Mapping, Sequence

from paas import deploy as pipeline
from paas import fleet, formation, kept_logs, site_logs
from paas.attempt import Attempt
from paas.environment import read_environment
from paas.errors import Conflict, NotFound
from paas.formation import Slot
from paas.model import Actor, App, Container, ContainerRole, DeployState, Desired, Release
from paas.platform import Platform
from paas.reporter import STEP
from paas.rerelease import activate_again
from paas.verb import Cause, begin, current_release
from paas.workers import Worker, shielded


def restart(
    platform: Platform,
    app: App,
    actor: Actor,
    reason: str = "ps:restart",
    process: str | None = None,
) -> None:
    """Replace processes by new ones of the same release; no request is lost.

    `process` is a type (`web`) or one process (`web.1`); None means all, and then config that was
    stored without a restart makes a new release. Raises NotFound.
    """
    release = current_release(platform, app)
    by = Cause(actor, reason)
    config = read_environment(platform, app)
    if process is None and config.merged != dict(release.config):
        activate_again(platform, app, by, lambda: config)
        return
    _choose(platform, app, release, process)  # refused before it becomes a deploy
    with begin(platform, app, by, release.commit) as attempt, pipeline.undoing(attempt):
        slots, chosen = _choose(platform, app, release, process)
        _replace(attempt, release, chosen, _current_but(platform, app, chosen, slots))
        attempt.reporter.milestone(f"{app.name} v{release.version} runs on new processes")


def _choose(
    platform: Platform, app: App, release: Release, process: str | None
) -> tuple[tuple[Slot, ...], list[Slot]]:
    """Return all processes there should be, and those that are meant. Raises NotFound."""
    slots = fleet.wanted(platform, app, fleet.blueprint(release))
    chosen = [slot for slot in slots if process in {None, slot[0], f"{slot[0]}.{slot[1]}"}]
    if process and not chosen:
        names = " ".join(f"{name}.{slot}" for name, slot in slots)
        raise NotFound(f"{app.name} has no process {process}", hint=f"There are: {names}")
    return slots, chosen


def scale(
    platform: Platform, app: App, actor: Actor, quantities: Mapping[str, int], *, only_store: bool
) -> bool:
    """Run as many processes of these types; what is there already is left alone.

    Return False if it was only stored: on demand, before the first push, and for a stopped app.
    Raises Conflict when app.json sets the formation, InvalidName.
    """
    release = platform.store.releases.current(app.id)
    if release and formation.is_locked(release.manifest):
        raise Conflict(
            f"app.json sets the formation of {app.name}",
            hint="Change `formation` in app.json, commit and push",
        )
    if only_store or release is None or app.desired is Desired.STOPPED:
        platform.store.formation.set(app.id, quantities)
        return False
    by = Cause(actor, "ps:scale")
    with begin(platform, app, by, release.commit) as attempt, pipeline.undoing(attempt):
        stored = platform.store.formation.preview(app.id, quantities)
        counts = formation.quantities(release.processes, release.manifest, stored)
        slots = formation.slots(counts)
        kept = _current_but(platform, app, (), slots)
        running = {(row.process_type, row.slot) for row in kept}
        missing = [slot for slot in slots if slot not in running]
        _tell_leaving(attempt, kept)
        _replace(attempt, release, missing, kept, stored)
        shown = " ".join(f"{name}={count}" for name, count in counts.items())
        attempt.reporter.milestone(f"{app.name} v{release.version} runs {shown}")
    return True


def _tell_leaving(attempt: Attempt, kept: Sequence[Container]) -> None:
    rows = attempt.platform.store.containers.of(attempt.app.id, ContainerRole.CURRENT)
    leaving = " ".join(row.process for row in rows if row not in kept)
    if leaving:
        attempt.reporter.line(STEP, f"Stopping {leaving} when their connections have ended")


def start(platform: Platform, app: App, actor: Actor) -> None:
    """Start a stopped app, or one that was parked; nothing to do for one that runs."""
    rows = platform.store.containers.of(app.id, ContainerRole.CURRENT)
    if not rows or any(row.is_parked for row in rows):
        restart(platform, app, actor, "ps:start")


def stop(platform: Platform, app: App, actor: Actor) -> None:
    """Stop every process. The app answers 502 until it is started or pushed to."""
    with platform.locks.app(app.id, actor.name, "ps:stop"):
        platform.store.apps.set_desired(app.id, Desired.STOPPED)
        platform.proxy.switch(app.name, ())
        rows = platform.store.containers.current_to_draining(app.id)
        fleet.remove(platform, rows, formation.stop_timeout(platform, app.id))


def destroy(platform: Platform, app: App, *, unborn_of: Worker | None = None) -> None:
    """Remove the app and all that belongs to it; the row goes last, so that it can be repeated.

    With `unborn_of` only if it is still the app of this process, whose first push has failed.
    Raises Conflict, also in a deploy.
    """
    with platform.locks.app(app.id, "paas", "apps:destroy"):
        if unborn_of and platform.store.apps.unborn().get(app.id) != unborn_of:
            raise Conflict(f"{app.name} has been pushed to")
        platform.proxy.withdraw(app.name)
        platform.proxy.switch(app.name, ())
        platform.store.apps.set_desired(app.id, Desired.STOPPED)
        for run in platform.store.runs.open(app.id):
            platform.store.runs.explain(run, "its app was destroyed")
        platform.scheduler.destroy(app)
        platform.builder.remove_images(app, platform.builder.images(app))
        platform.repos.destroy(app)
        site_logs.remove_logs(platform.settings, app.name)
        kept_logs.remove(platform, app.id)
        platform.store.apps.destroy(app.id)


def _replace(
    attempt: Attempt,
    release: Release,
    slots: Sequence[Slot],
    kept: Sequence[Container],
    quantities: Mapping[str, int] | None = None,
) -> None:
    """Start these processes of the current release; they run with what is kept, all else drains.

    `quantities` replace the stored formation at the commit point.
    """
    deploys, deploy = attempt.platform.store.deploys, attempt.deploy.id
    attempt.advance(DeployState.STARTING)
    started = fleet.bring_up(attempt, fleet.blueprint(release), slots, kept)
    attempt.advance(DeployState.HEALTHY)
    with shielded():
        deploys.replace(deploy, [*kept, *started], quantities)
        pipeline.take_over(attempt)


def _current_but(
    platform: Platform, app: App, but: Sequence[Slot], slots: Sequence[Slot]
) -> list[Container]:
    """Return the current processes that are among `slots` and not among `but`."""
    rows = platform.store.containers.of(app.id, ContainerRole.CURRENT)
    staying = set(slots) - set(but)
    return [row for row in rows if (row.process_type, row.slot) in staying]
