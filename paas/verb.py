"""What a verb that changes what runs begins with: its cause, the release it is about, a deploy."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from paas import deploy as pipeline
from paas.attempt import Attempt, open_attempt
from paas.errors import NotFound
from paas.model import Actor, App, Release
from paas.platform import Platform
from paas.reporter import TerminalSink


@dataclass(frozen=True)
class Cause:
    """Who changes what runs, and by which verb."""

    actor: Actor
    reason: str  # "config:set"


@contextmanager
def begin(platform: Platform, app: App, by: Cause, commit: str | None) -> Iterator[Attempt]:
    """Hold the app's lock with a deploy that reports to the command's own streams."""
    with platform.locks.app(app.id, by.actor.name, by.reason):
        pipeline.end_abandoned(platform, app)
        record = platform.store.deploys.start(app.id, by.actor, by.reason, commit, None)
        sink = TerminalSink(sys.stdout, sys.stderr)
        with open_attempt(platform, record, by.actor, sink) as attempt:
            yield attempt


def current_release(platform: Platform, app: App) -> Release:
    """Return the current release. Raises NotFound before the first push."""
    release = platform.store.releases.current(app.id)
    if release is None:
        raise NotFound(f"{app.name} has no release yet", hint=f"Push to {app.name} first.")
    return release
