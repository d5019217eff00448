"""THE pipeline: make_release(), then activate(). Every verb that changes what runs uses these.

Before the commit point a failure is undone and nothing visible has changed; after it, it is
finished, by the same finish() that recovery calls.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from paas import builders, declared, disk, docker_options, fleet, networks, ports, routing, scripts
from paas.attempt import Attempt
from paas.build.base import BuildPlan
from paas.build_queue import Build
from paas.environment import read_environment
from paas.errors import Cancelled, Conflict, HookRefused, PaasError, StartFailed, Unavailable
from paas.git.base import PushOptions
from paas.model import DEFAULT_PORT, App, Candidate, Deploy, DeployState, Image, Release
from paas.platform import Platform
from paas.reporter import STEP, Reporter
from paas.source import Source
from paas.workers import shielded

log = logging.getLogger("paas")
Keep = Callable[[], None]


def deploy_source(attempt: Attempt, source: Source, options: PushOptions, keep: Keep) -> Release:
    """Build `source` and make it the app's current release.

    `keep` stores the source for good, as the first step of the commit point. Raises PaasError
    after everything was undone and the cause was shown.
    """
    with undoing(attempt):
        candidate = scripts.bake(attempt, make_release(attempt, source, options))
        config = declared.to_store(attempt, candidate)
        release = activate(attempt, candidate, keep=keep, config=config)
    announce(attempt, release)
    return release


def make_release(attempt: Attempt, source: Source, options: PushOptions) -> Candidate:
    """Detect, build: turn a source into what may become a release. Changes nothing that runs."""
    platform = attempt.platform
    config = read_environment(platform, attempt.app)
    source = builders.view_of(platform, attempt.app, source)
    plan = builders.plan(platform, attempt.app, source)
    config = declared.fill_in(attempt, config, plan.manifest.env)
    attempt.reporter.hide(tuple(config.merged.values()))
    arguments = docker_options.build_arguments(platform, attempt.app, config.merged)
    plan = replace(plan, args={**plan.args, **arguments})
    _show_plan(plan, attempt.reporter)
    disk.require_space(platform.settings)
    attempt.run_hooks("pre-build")
    attempt.advance(DeployState.BUILDING)
    image = _build(attempt, plan, source, options)
    attempt.run_hooks("post-build", PAAS_IMAGE=image.id)
    attempt.advance(DeployState.BUILT)
    detected = plan.port or _exposed(image) or DEFAULT_PORT
    port, instead_of = ports.of_release(platform, attempt.app, detected)
    return Candidate(
        image=image,
        processes=plan.processes,
        config=config.merged,
        port=port,
        commit=source.commit,
        summary=plan.summary,
        manifest=plan.manifest,
        inherited=config.inherited,
        detected_port=instead_of,
    )


def activate(
    attempt: Attempt,
    candidate: Candidate,
    *,
    keep: Keep = lambda: None,
    config: Mapping[str, str] | None = None,
) -> Release:
    """Start the candidate next to the current release, then let it take over.

    `config` replaces the app's own stored config in the same transaction.
    """
    deploys = attempt.platform.store.deploys
    plan = fleet.blueprint(candidate)
    attempt.advance(DeployState.RELEASING)
    attempt.run_hooks("pre-release", PAAS_IMAGE=candidate.image.id)
    scripts.run_before(attempt, plan)
    attempt.advance(DeployState.STARTING)
    started = fleet.bring_up(attempt, plan, fleet.wanted(attempt.platform, attempt.app, plan))
    attempt.advance(DeployState.HEALTHY)
    with shielded():
        keep()
        release = deploys.commit(attempt.deploy.id, candidate, started, config)
        take_over(attempt, then=lambda: scripts.run_after(attempt, plan))
    return release


def take_over(attempt: Attempt, then: Callable[[], None] = lambda: None) -> None:
    """Move the traffic to the containers that the commit made current; end the deploy after `then`.

    If the route cannot be moved, the commit is taken back. Raises ProxyUnavailable. Once it has
    moved nothing fails any more: what could not be done is left to recovery.
    """
    platform = attempt.platform
    try:
        routing.move(platform, platform.store.apps.by_id(attempt.app.id))
    except PaasError as error:
        platform.store.deploys.revert(attempt.deploy.id, error.message)
        app = platform.store.apps.by_id(attempt.app.id)
        with suppress(Unavailable, StartFailed):  # the reconciler tries again
            fleet.bring_back(platform, app)
        routing.restore(platform, app)
        raise
    with _leaving_the_rest(attempt):
        _conclude(platform, platform.store.deploys.get(attempt.deploy.id))
        then()
        platform.store.deploys.advance(attempt.deploy.id, DeployState.DONE)


def finish(platform: Platform, deploy: Deploy) -> None:
    """Do again all that follows the commit point, for recovery; idempotent."""
    routing.move(platform, platform.store.apps.by_id(deploy.app_id))
    _conclude(platform, deploy)
    fleet.remove_started(platform, deploy)  # what postdeploy was about to run in
    platform.store.deploys.advance(deploy.id, DeployState.DONE)


def _conclude(platform: Platform, deploy: Deploy) -> None:
    app = platform.store.apps.by_id(deploy.app_id)
    containers = platform.store.containers.of(app.id)
    platform.scheduler.keep([c.id for c in containers if c.deploy_id == deploy.id])
    with suppress(Conflict, StartFailed):  # the reconciler tries again
        networks.settle(platform, app)
    if deploy.branch and deploy.commit:
        if app.deploy_branch is None:
            platform.store.apps.set_deploy_branch(app.id, deploy.branch)
        platform.repos.set_branch(app, deploy.branch, deploy.commit)


def end_abandoned(platform: Platform, app: App) -> None:
    """End the app's deploys whose process has died: undo before the commit point, else finish.

    Call it with the app's lock in hand, before a deploy of your own: then whoever is unfinished is
    dead, and must be ended first. Finished later, it would move the branch back.
    """
    for record in platform.store.deploys.unfinished():
        if record.app_id != app.id:
            continue
        if record.state is DeployState.SWITCHED:
            log.warning("%s: finishing deploy %d, whose process died", app.name, record.id)
            finish(platform, record)
        else:
            log.warning("%s: undoing deploy %d, whose process died", app.name, record.id)
            undo(platform, app, record, f"interrupted while {record.state}", cancelled=False)


def undo(platform: Platform, app: App, deploy: Deploy, error: str, *, cancelled: bool) -> None:
    """Take back all that a deploy did before its commit point; idempotent, for recovery too."""
    fleet.remove_started(platform, deploy)
    platform.repos.drop(app, deploy.id)
    cancelled = cancelled or platform.store.deploys.get(deploy.id).cancelled_by is not None
    state = DeployState.CANCELLED if cancelled else DeployState.FAILED
    platform.store.deploys.fail(deploy.id, state, error)
    fleet.bring_back(platform, app)


@contextmanager
def undoing(attempt: Attempt) -> Iterator[None]:
    """Undo the deploy if the body fails before the commit point, and say what still serves."""
    try:
        yield
    except KeyboardInterrupt as error:
        by = attempt.platform.store.deploys.get(attempt.deploy.id).cancelled_by
        cancelled = Cancelled(f"Cancelled{f' by {by}' if by else ''} before anything changed")
        _give_up(attempt, cancelled)
        raise cancelled from error
    except PaasError as error:
        _give_up(attempt, error)
        raise
    except BaseException as error:
        _give_up(attempt, PaasError(f"paas itself failed: {type(error).__name__}"))
        raise


def outlook(platform: Platform, deploy: Deploy) -> str:
    """Return the few words on what is live that follow the cause of a failure; "" if nothing is."""
    version = platform.store.apps.by_id(deploy.app_id).version
    if platform.store.deploys.get(deploy.id).state is DeployState.SWITCHED:
        return f"; v{version} goes live as soon as that is mended"
    return f"; v{version} still live" if version else ""


def announce(attempt: Attempt, release: Release) -> None:
    """Say what is live, how to take it back, and where the log is."""
    platform, app, reporter = attempt.platform, attempt.app, attempt.reporter
    phases = ((name, reporter.durations.get(name, 0.0)) for name in ("build", "release", "start"))
    parts = ", ".join(f"{name} {took:.1f}" for name, took in phases if took)
    took = time.time() - attempt.deploy.started_at
    reporter.milestone(f"Deployed {app.name} v{release.version} in {took:.1f} s ({parts})")
    for url in routing.urls_of(platform, app):
        reporter.detail(url)
    ssh = platform.settings.ssh_command
    if app.version:  # by its number: after a rollback, the default would go further back
        reporter.detail(f"Undo: {ssh} releases:rollback {app.name} v{app.version}")
    reporter.detail(f"Logs: {ssh} logs {app.name} -t")
    reporter.detail(f"This output: {ssh} deploys:log {app.name} {release.deploy_id}")
    try:
        attempt.run_hooks("post-deploy", PAAS_RELEASE=f"v{release.version}")
    except HookRefused as error:
        reporter.failure(error)  # the release is live: a hook after it can only complain


@contextmanager
def _leaving_the_rest(attempt: Attempt) -> Iterator[None]:
    """Go on after whatever fails: the release is live, and recovery does the rest in seconds."""
    try:
        yield
    except Exception as error:
        log.exception("deploy %d is live, but not finished", attempt.deploy.id)
        why = error.message if isinstance(error, PaasError) else f"paas failed ({error!r})"
        attempt.reporter.problem(
            f"It is live. Not all that follows is done, paas tries again: {why}"
        )


def _show_plan(plan: BuildPlan, reporter: Reporter) -> None:
    names = ", ".join(process.name for process in plan.processes)
    reporter.line(STEP, f"{plan.summary}; processes: {names}")
    for note in plan.notes:
        reporter.detail(note)


def _build(attempt: Attempt, plan: BuildPlan, source: Source, options: PushOptions) -> Image:
    platform, reporter = attempt.platform, attempt.reporter

    build = Build(attempt.app.name, attempt.actor.name, time.time())
    with (
        platform.locks.build_slot(
            platform.settings.max_builds, build, lambda ahead: _tell_place(attempt, ahead)
        ),
        reporter.step("Building", name="build"),
    ):
        image = platform.builder.build(
            attempt.app, plan, source, reporter, no_cache=options.no_cache
        )
    reporter.detail(f"Image {image.size / 1e6:.0f} MB")
    return image


def _tell_place(attempt: Attempt, ahead: Sequence[Build]) -> None:
    """Say who is ahead of this build; of apps that its actor may not see, only that there are."""
    seen = {app.name for app, _ in attempt.platform.store.grants.list(attempt.actor)}
    named = [str(build) for build in ahead if build.app in seen]
    if len(named) < len(ahead):
        named.append("of others")
    are = "build is" if len(ahead) == 1 else "builds are"
    attempt.reporter.detail(f"Waiting: {len(ahead)} {are} ahead of you, {', '.join(named)}")


def _exposed(image: Image) -> int | None:
    return image.exposed[0] if len(image.exposed) == 1 else None


def _give_up(attempt: Attempt, error: PaasError) -> None:
    """Undo, say what went wrong and what is still live, tell the host's owner's hooks."""
    with shielded():
        _give_up_whole(attempt, error)


def _give_up_whole(attempt: Attempt, error: PaasError) -> None:
    platform, app, reporter = attempt.platform, attempt.app, attempt.reporter
    state = platform.store.deploys.get(attempt.deploy.id).state
    if state is DeployState.SWITCHED:  # and it could not be taken back: recovery finishes it
        reporter.failure(error)
        reporter.milestone(f"Not live yet{outlook(platform, attempt.deploy)}")
    if state in {DeployState.SWITCHED, DeployState.DONE}:
        return
    with suppress(Unavailable, StartFailed):  # the reconciler does what could not be done
        undo(platform, app, attempt.deploy, error.message, cancelled=isinstance(error, Cancelled))
    reporter.failure(error)
    reporter.milestone(f"Not deployed. {fleet.still_live(platform, app)}")
    try:
        attempt.run_hooks("deploy-failed", PAAS_ERROR=error.message)
    except HookRefused as refused:
        reporter.failure(refused)
