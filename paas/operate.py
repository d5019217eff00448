"""Verbs that change what runs without new code. They use the pipeline's halves."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from paas import deploy as pipeline
from paas import fleet, routing
from paas.attempt import Attempt, open_attempt
from paas.errors import Conflict, NotFound
from paas.git.base import PushOptions
from paas.model import Actor, App, Candidate, DeployState, Desired, Image, Release
from paas.platform import Platform
from paas.reporter import TerminalSink


@dataclass(frozen=True)
class Cause:
    """Who changes what runs, and by which verb."""

    actor: Actor
    reason: str  # "config:set"


@contextmanager
def _attempt(platform: Platform, app: App, by: Cause, commit: str | None) -> Iterator[Attempt]:
    """Hold the app's lock with a deploy that reports to the command's own streams."""
    with platform.locks.app(app.id, by.actor.name, by.reason):
        now = platform.store.apps.by_id(app.id)
        record = platform.store.deploys.start(app.id, by.actor, by.reason, commit, None)
        with open_attempt(platform, now, record, TerminalSink(sys.stdout, sys.stderr)) as attempt:
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
    return _activate_again(
        platform, app, by, lambda: platform.store.config.preview(app.id, values, remove)
    )


def rollback(platform: Platform, app: App, actor: Actor, version: int | None = None) -> Release:
    """Make an old release (default: the one before the current) current again, as a new release.

    Raises NotFound if there is no such release.
    """
    current = platform.store.releases.current(app.id)
    if current is None or (version is None and current.version == 1):
        raise NotFound(f"{app.name} has no release to go back to", hint="releases:list shows them.")
    target = platform.store.releases.get(app.id, version or current.version - 1)
    by = Cause(actor, f"rollback to v{target.version}")
    return _activate_again(platform, app, by, lambda: target.config, target)


def rebuild(platform: Platform, app: App, actor: Actor) -> Release:
    """Build the current commit again and deploy it. Raises NotFound before the first push."""
    release = platform.store.releases.current(app.id)
    if release is None or release.commit is None:
        raise NotFound(f"{app.name} has no code to build", hint=f"Push to {app.name} first.")
    commit = release.commit
    with _attempt(platform, app, Cause(actor, "ps:rebuild"), commit) as attempt:
        source = platform.repos.source(attempt.app, commit)
        return pipeline.deploy_source(
            attempt,
            source,
            PushOptions(no_cache=True),
            keep=lambda: platform.repos.keep(attempt.app, attempt.deploy.id, commit),
        )


def restart(platform: Platform, app: App, actor: Actor, reason: str = "ps:restart") -> None:
    """Replace every process by a new one of the same release; no request is lost.

    Config that was stored without a restart makes a new release.
    """
    release = current_release(platform, app)
    by = Cause(actor, reason)
    config = platform.store.config.get(app.id)
    if dict(config) != dict(release.config):
        _activate_again(platform, app, by, lambda: config)
        return
    with _attempt(platform, app, by, release.commit) as attempt, pipeline.undoing(attempt):
        attempt.advance(DeployState.STARTING)
        started = fleet.bring_up(attempt, fleet.blueprint(release))
        platform.store.deploys.replace(attempt.deploy.id, started)
        pipeline.take_over(attempt)
        attempt.reporter.milestone(f"{app.name} v{release.version} runs on new processes")


def start(platform: Platform, app: App, actor: Actor) -> None:
    """Start a stopped app; nothing to do for one that runs."""
    if not routing.routes_of(platform, app):
        restart(platform, app, actor, "ps:start")


def stop(platform: Platform, app: App, actor: Actor) -> None:
    """Stop every process. The app answers 502 until it is started or pushed to."""
    with platform.locks.app(app.id, actor.name, "ps:stop"):
        platform.store.apps.set_desired(app.id, Desired.STOPPED)
        platform.proxy.switch(app.name, ())
        rows = platform.store.containers.current_to_draining(app.id)
        fleet.remove(platform, rows, platform.settings.drain_timeout)


def destroy(platform: Platform, app: App, *, only_unborn: bool = False) -> None:
    """Remove the app and all that belongs to it; the row goes last, so that it can be repeated.

    With `only_unborn` an app that has a release is left alone. Raises Conflict in a deploy.
    """
    with platform.locks.app(app.id, "paas", "apps:destroy"):
        now = platform.store.apps.by_id(app.id)
        if only_unborn and now.version is not None:
            raise Conflict(f"{app.name} has been deployed")
        platform.proxy.withdraw(app.name)
        platform.proxy.switch(app.name, ())
        platform.store.apps.set_desired(app.id, Desired.STOPPED)
        platform.scheduler.destroy(app)
        platform.scheduler.remove_images([r.image for r in platform.store.releases.list(app.id)])
        platform.repos.destroy(app)
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
    read_config: Callable[[], Mapping[str, str]],
    target: Release | None = None,
) -> Release:
    """Activate a release's image (default: the current one's) with a config, as a new release.

    The config is read under the app's lock, so that two changes at once lose nothing.
    """
    commit = target.commit if target else None
    with _attempt(platform, app, by, commit) as attempt:
        release, config = target or current_release(platform, attempt.app), read_config()
        attempt.reporter.hide(tuple(config.values()))
        with pipeline.undoing(attempt):
            made = pipeline.activate(attempt, _candidate(release, config), config=config)
        pipeline.announce(attempt, made)
        return made


def _candidate(release: Release, config: Mapping[str, str]) -> Candidate:
    return Candidate(
        image=Image(id=release.image, size=0, volumes=release.volumes),
        processes=release.processes,
        config=config,
        port=release.port,
        commit=release.commit,
        summary="",
    )
