"""Verbs that change what runs without new code. They use the pipeline's halves."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from paas import deploy as pipeline
from paas import fleet, formation, kept_logs, ports, retention, routing, site_logs
from paas.attempt import Attempt, open_attempt
from paas.environment import Environment, environment_of, read_environment
from paas.errors import Conflict, NotFound
from paas.formation import Slot
from paas.git.base import PushOptions
from paas.model import (
    SYSTEM,
    Actor,
    App,
    Candidate,
    Container,
    ContainerRole,
    DeployState,
    Desired,
    Image,
    Release,
)
from paas.platform import Platform
from paas.reporter import STEP, TerminalSink
from paas.workers import Worker, shielded


@dataclass(frozen=True)
class Cause:
    """Who changes what runs, and by which verb."""

    actor: Actor
    reason: str  # "config:set"


@contextmanager
def _attempt(platform: Platform, app: App, by: Cause, commit: str | None) -> Iterator[Attempt]:
    """Hold the app's lock with a deploy that reports to the command's own streams."""
    with platform.locks.app(app.id, by.actor.name, by.reason):
        pipeline.end_abandoned(platform, app)
        record = platform.store.deploys.start(app.id, by.actor, by.reason, commit, None)
        sink = TerminalSink(sys.stdout, sys.stderr)
        with open_attempt(platform, record, by.actor, sink) as attempt:
            yield attempt


def reconfigure(
    platform: Platform, app: App, by: Cause, values: Mapping[str, str], remove: Sequence[str] = ()
) -> Release | None:
    """Change config vars and make a release with them; None if nothing of it runs.

    If the new release does not start, value and release stay as they were.
    """
    current = platform.store.releases.current(app.id)
    if current is None or app.desired is Desired.STOPPED:
        platform.store.config.change(app.id, values, remove)
        return None
    platform.store.config.preview(app.id, values, remove)  # what is refused is no failed deploy

    def changed() -> Environment:
        config = platform.store.config
        return Environment(config.preview(app.id, values, remove), config.get(None))

    return _activate_again(platform, app, by, changed)


def change_port(platform: Platform, app: App, by: Cause) -> Release | None:
    """Make a release with the container port that is stored now; None if nothing runs."""
    if app.version is None or app.desired is Desired.STOPPED:
        return None
    return _activate_again(platform, app, by, lambda: read_environment(platform, app))


def rollback(
    platform: Platform,
    app: App,
    actor: Actor,
    version: int | None = None,
    *,
    keep_config: bool = False,
) -> Release:
    """Make an old release (default: see retention.find_target) current again, as a new release.

    Its config comes with it, unless `keep_config`. Raises NotFound if there is no such release, or
    if its image is gone, with those that are possible.
    """
    target = retention.find_target(platform, app, version)
    by = Cause(actor, retention.rollback_reason(target.version))
    if keep_config:
        return _activate_again(platform, app, by, lambda: read_environment(platform, app), target)
    return _activate_again(platform, app, by, lambda: environment_of(target), target)


def rebuild(platform: Platform, app: App, actor: Actor) -> Release:
    """Build the tip of the branch that deploys, and deploy it. Raises NotFound before a push.

    After a rollback this goes forward again: git itself would say "Everything up-to-date".
    """
    commit = platform.repos.tip(app, app.deploy_branch) if app.deploy_branch else None
    return _build_again(platform, app, Cause(actor, "ps:rebuild"), commit, no_cache=True)


def build_first(platform: Platform, app: App, by: Cause, commit: str) -> Release:
    """Build and deploy a commit that is in the app's repository, with the cache."""
    return _build_again(platform, app, by, commit, no_cache=False)


def rebuild_current(platform: Platform, app: App) -> Release:
    """Build the current release's commit, for an app whose image is gone. Raises NotFound."""
    commit = current_release(platform, app).commit
    return _build_again(platform, app, Cause(SYSTEM, "image was gone"), commit, no_cache=False)


def _build_again(
    platform: Platform, app: App, by: Cause, commit: str | None, *, no_cache: bool
) -> Release:
    if commit is None:
        raise NotFound(f"{app.name} has no code to build", hint=f"Push to {app.name} first.")
    with _attempt(platform, app, by, commit) as attempt:
        source = platform.repos.source(attempt.app, commit)
        return pipeline.deploy_source(
            attempt,
            source,
            PushOptions(no_cache=no_cache),
            keep=lambda: platform.repos.keep(attempt.app, attempt.deploy.id, commit),
        )


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
        _activate_again(platform, app, by, lambda: config)
        return
    _choose(platform, app, release, process)  # refused before it becomes a deploy
    with _attempt(platform, app, by, release.commit) as attempt, pipeline.undoing(attempt):
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
    with _attempt(platform, app, by, release.commit) as attempt, pipeline.undoing(attempt):
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
        platform.scheduler.destroy(app)
        platform.builder.remove_images(app, platform.builder.images(app))
        platform.repos.destroy(app)
        site_logs.remove_logs(platform.settings, app.name)
        kept_logs.remove(platform, app.id)
        platform.store.apps.destroy(app.id)


def current_release(platform: Platform, app: App) -> Release:
    """Return the current release. Raises NotFound before the first push."""
    release = platform.store.releases.current(app.id)
    if release is None:
        raise NotFound(f"{app.name} has no release yet", hint=f"Push to {app.name} first.")
    return release


def publish(platform: Platform, app: App) -> None:
    """Serve the app's domains as they are stored now."""
    routing.publish(platform, app)


def _activate_again(
    platform: Platform,
    app: App,
    by: Cause,
    read_config: Callable[[], Environment],
    target: Release | None = None,
) -> Release:
    """Activate a release's image (default: the current one's) with a config, as a new release.

    The config is read under the app's lock, so that two changes at once lose nothing.
    """
    commit = target.commit if target else None
    with _attempt(platform, app, by, commit) as attempt:
        release, config = target or current_release(platform, attempt.app), read_config()
        attempt.reporter.hide(tuple(config.merged.values()))
        if release.manifest.predeploy and target is None:
            to_do = f"ps:rebuild {attempt.app.name}"
            attempt.reporter.detail(f"To run predeploy with this config: {to_do}")
        with pipeline.undoing(attempt):
            made = pipeline.activate(
                attempt,
                _candidate(platform, attempt.app, release, config),
                keep=lambda: _keep_commit(attempt, release),
                config=config.own,
            )
        pipeline.announce(attempt, made)
        return made


def _keep_commit(attempt: Attempt, release: Release) -> None:
    """Keep the source for ps:rebuild, also when the release that brought it is dropped."""
    if release.commit:
        with suppress(NotFound):  # what runs needs its image only
            attempt.platform.repos.keep(attempt.app, attempt.deploy.id, release.commit)


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


def _candidate(platform: Platform, app: App, release: Release, config: Environment) -> Candidate:
    port, instead_of = ports.of_release(platform, app, ports.detected_of(release))
    return Candidate(
        image=Image(id=release.image, size=0, volumes=release.volumes),
        processes=release.processes,
        config=config.merged,
        port=port,
        commit=release.commit,
        summary="",
        manifest=release.manifest,
        inherited=config.inherited,
        detected_port=instead_of,
    )
