"""What an app is called, copies of it, and the lock that keeps it as it is."""

import time

from paas import deploy as pipeline
from paas import options, rerelease, resources, routing, site_logs
from paas.errors import Conflict, NotFound, ProxyUnavailable
from paas.model import Actor, App, AppLock, ContainerRole, ProcessState
from paas.platform import Platform
from paas.repair import expected_name
from paas.verb import Cause

NO_AUTOCREATION = "disable-autocreation"


def rename(platform: Platform, app: App, name: str, actor: Actor) -> App:
    """Call the app `name`; it answers at its new default domain at once. Return it.

    What runs goes on, under new container names; its variable PAAS_APP changes with the next
    processes. The renamed row is the commit point: recovery does the rest. Raises Conflict,
    InvalidName, ProxyUnavailable.
    """
    with platform.locks.app(app.id, actor.name, "apps:rename"):
        pipeline.end_abandoned(platform, app)
        renamed = platform.store.apps.rename(app.id, name)
        site_logs.rename_logs(platform.settings, app.name, name)
        try:
            routing.restore_all(platform)  # in one step: vhosts and routes are filed by name
        except ProxyUnavailable:
            platform.store.apps.rename(app.id, app.name)
            site_logs.rename_logs(platform.settings, name, app.name)
            raise
        for row in platform.store.containers.of(app.id, ContainerRole.CURRENT):
            if row.id and platform.scheduler.inspect(row.id).state is ProcessState.RUNNING:
                platform.scheduler.mend(row.id, expected_name(platform, renamed, row))
    return renamed


def copy(platform: Platform, source: App, target: App, actor: Actor) -> str | None:
    """Give a new app the settings and the repository of another; return the commit to deploy.

    None if the other was never deployed from a commit.
    """
    with platform.locks.app(source.id, actor.name, "apps:clone"):
        release = platform.store.releases.current(source.id)
        platform.store.apps.copy_settings(source.id, target.id)
        with platform.repos.frozen(source) as folder:
            platform.repos.restore(target, folder)
    if release is None or release.commit is None:
        return None
    if source.deploy_branch:
        platform.repos.set_branch(target, source.deploy_branch, release.commit)
    return release.commit


def copy_walls(
    platform: Platform, source: App, target: App, *, opens_walls: bool, lifts_limits: bool
) -> tuple[str, ...]:
    """Give an app the walls and limits of another, as far as who asks may open them.

    Return what stays as it is for every app.
    """
    walls, security = platform.store.security.get(source.id), platform.store.security
    kept = walls if opens_walls else options.of_owners(walls)
    security.set(target.id, kept)
    left = set(options.loosened(walls)) - set(options.loosened(kept))
    for name, value in resources.stored(platform, source).items():
        owner, kind, key = name.split(".")
        if (
            kind == resources.LIMIT
            and not lifts_limits
            and resources.is_more(platform, {key: value})
        ):
            left.add(name)
        else:
            resources.change(platform, target, kind, owner, {key: value})
    return tuple(sorted(left))


def deploy_copy(platform: Platform, app: App, actor: Actor, commit: str) -> None:
    """Build and deploy the commit that was copied."""
    rerelease.build_first(platform, app, Cause(actor, "apps:clone"), commit)


def find_lock(platform: Platform, app: App) -> AppLock | None:
    """Return who has locked the app; None if nobody has."""
    text = platform.store.properties.get(app.id, AppLock.TOPIC).get(AppLock.KEY)
    return AppLock.parse(text) if text else None


def lock(platform: Platform, app: App, actor: Actor) -> None:
    """Let no deploy of the app begin from now on. Raises Conflict if it is locked already."""
    if held := find_lock(platform, app):
        raise Conflict(f"{app.name} {held} already", hint=f"Free it: apps:unlock {app.name}")
    text = AppLock(actor.name, time.time()).text
    platform.store.properties.set(app.id, AppLock.TOPIC, AppLock.KEY, text)


def unlock(platform: Platform, app: App) -> None:
    """Let deploys begin again."""
    platform.store.properties.set(app.id, AppLock.TOPIC, AppLock.KEY, None)


def refuse_new(platform: Platform, name: str) -> None:
    """Raise NotFound if the host's owner wants apps to be created before they are pushed to."""
    if platform.store.properties.get(None, AppLock.TOPIC).get(NO_AUTOCREATION) == "true":
        raise NotFound(f"App {name} does not exist", hint=f"Create it first: apps:create {name}")


def refuse_locked(platform: Platform, app: App) -> None:
    """Raise Conflict if the app is locked: early, so that nothing is received in vain."""
    if held := find_lock(platform, app):
        raise held.refusal(app.name)
