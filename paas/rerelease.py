"""New releases without new code: with other config, on another port, rolled back, built again."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from paas import deploy as pipeline
from paas import ports, retention
from paas.attempt import Attempt
from paas.environment import Environment, environment_of, read_environment
from paas.errors import NotFound
from paas.git.base import PushOptions
from paas.model import SYSTEM, Actor, App, Candidate, Desired, Image, Release
from paas.platform import Platform
from paas.verb import Cause, begin, current_release


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

    return activate_again(platform, app, by, changed)


def change_port(platform: Platform, app: App, by: Cause) -> Release | None:
    """Make a release with the container port that is stored now; None if nothing runs."""
    if app.version is None or app.desired is Desired.STOPPED:
        return None
    return activate_again(platform, app, by, lambda: read_environment(platform, app))


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
        return activate_again(platform, app, by, lambda: read_environment(platform, app), target)
    return activate_again(platform, app, by, lambda: environment_of(target), target)


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
    with begin(platform, app, by, commit) as attempt:
        source = platform.repos.source(attempt.app, commit)
        return pipeline.deploy_source(
            attempt,
            source,
            PushOptions(no_cache=no_cache),
            keep=lambda: platform.repos.keep(attempt.app, attempt.deploy.id, commit),
        )


def activate_again(
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
    with begin(platform, app, by, commit) as attempt:
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
