"""Code that comes otherwise than by a push: it becomes a commit, and goes the way of a push."""

import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager

from paas import deploy as pipeline
from paas import gitset, identity
from paas.attempt import open_attempt
from paas.git.base import Note, Push, PushOptions, Remote
from paas.model import App, Release
from paas.origins import SYNC, Origin, note_origin, public_part
from paas.platform import Platform
from paas.reporter import STEP, TerminalSink
from paas.source import NewFile
from paas.verb import Cause

FIRST_BRANCH = "main"


def deploy_files(  # noqa: PLR0913, PLR0917 - what is deployed, who asked, and where it is from
    platform: Platform,
    app: App,
    by: Cause,
    files: Iterable[NewFile],
    note: Note,
    origin: Origin,
) -> Release | None:
    """Commit these files and deploy them; None if the branch holds just these already.

    Raises PaasError after everything was undone and the cause was shown.
    """
    with platform.locks.app(app.id, by.actor.name, by.reason):
        pipeline.end_abandoned(platform, app)
        now = platform.store.apps.by_id(app.id)
        branch = gitset.deploy_branch(platform, now) or FIRST_BRANCH
        with platform.repos.offer(now, branch, files, note) as push:
            if push is None:
                return None
            note_origin(platform, app, push.new, origin)
            return _deploy(platform, now, by, push)


def sync(
    platform: Platform, app: App, remote: Remote, ref: str | None, *, own_branch: bool
) -> AbstractContextManager[Push]:
    """Fetch from another host; nobody waits for it meanwhile. See git/base.py's fetch().

    With `own_branch` what was fetched goes to the app's deploy branch, whatever its name is there.
    """
    branch = (gitset.deploy_branch(platform, app) or FIRST_BRANCH) if own_branch else None
    return platform.repos.fetch(app, remote, ref, branch)


def deploy_fetched(platform: Platform, app: App, by: Cause, remote: Remote, push: Push) -> Release:
    """Deploy what sync() fetched; its branch is the one that deploys from now on."""
    with platform.locks.app(app.id, by.actor.name, by.reason):
        pipeline.end_abandoned(platform, app)
        now = platform.store.apps.by_id(app.id)
        _note_remote(platform, app, remote, push)
        release = _deploy(platform, now, by, push)
        platform.store.apps.set_deploy_branch(app.id, push.branch)
        return release


def store_fetched(platform: Platform, app: App, by: Cause, remote: Remote, push: Push) -> None:
    """Keep what sync() fetched for ps:rebuild, without a deploy. Raises Conflict."""
    with platform.locks.app(app.id, by.actor.name, by.reason):
        identity.refuse_locked(platform, app)
        _note_remote(platform, app, remote, push)
        platform.repos.take(platform.store.apps.by_id(app.id), push)
        platform.store.apps.set_deploy_branch(app.id, push.branch)


def _note_remote(platform: Platform, app: App, remote: Remote, push: Push) -> None:
    detail = f"{public_part(remote.url)}#{push.new}"
    note_origin(platform, app, push.new, Origin(SYNC, detail))


def _deploy(platform: Platform, app: App, by: Cause, push: Push) -> Release:
    """Deploy an offered commit, as a pushed one; hold the app's lock."""
    record = platform.store.deploys.start(app.id, by.actor, by.reason, push.new, push.branch)
    sink = TerminalSink(sys.stdout, sys.stderr)
    with open_attempt(platform, record, by.actor, sink) as attempt:
        what = f'{push.new[:7]} "{push.subject}" ({push.branch}, {push.files} files)'
        attempt.reporter.line(STEP, f"{app.name}: {what} by {by.reason}")
        return pipeline.deploy_source(
            attempt,
            push.source,
            PushOptions(),
            keep=lambda: platform.repos.keep(app, record.id, push.new),
        )
