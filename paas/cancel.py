"""Cancelling a deploy before its commit point: it is asked, woken, and undoes itself."""

import os
import time
from contextlib import suppress

from paas import deploy as pipeline
from paas import workers
from paas.errors import Conflict, PaasError
from paas.model import Actor, Deploy, DeployState
from paas.platform import Platform

PATIENCE = 60.0  # seconds for a deploy to undo itself: its containers are stopped
POLL = 0.1


def cancel(platform: Platform, deploy: Deploy, actor: Actor) -> Deploy:
    """Have a deploy undone; return it when that is done.

    Once it is asked it cannot pass the commit point any more. Raises Conflict when it is over, or
    past that point already.
    """
    deploys = platform.store.deploys
    if not deploys.cancel(deploy.id, actor):
        raise _explain(platform, deploy)
    _wake(deploy)
    deadline = time.monotonic() + PATIENCE
    while not deploys.get(deploy.id).state.is_final:
        _undo_for_the_dead(platform, deploy, actor)
        if time.monotonic() > deadline:
            raise PaasError(
                f"Deploy {deploy.id} is asked to stop, and still undoes what it did",
                hint="It will not go live. Look again: deploys:info",
            )
        time.sleep(POLL)
    return deploys.get(deploy.id)


def _wake(deploy: Deploy) -> None:
    """Interrupt whatever the working process waits for; it finds out by itself otherwise."""
    if deploy.pid and deploy.pid_started and deploy.pid != os.getpid():
        workers.interrupt(deploy.pid, deploy.pid_started)


def _undo_for_the_dead(platform: Platform, deploy: Deploy, actor: Actor) -> None:
    """Undo in the place of a working process that has died."""
    if workers.is_alive(deploy.pid, deploy.pid_started):
        return
    with suppress(Conflict), platform.locks.app(deploy.app_id, actor.name, "deploys:cancel"):
        app = platform.store.apps.by_id(deploy.app_id)
        cause = f"Cancelled by {actor.name}"
        pipeline.undo(platform, app, deploy, cause, cancelled=True)


def _explain(platform: Platform, deploy: Deploy) -> Conflict:
    now = platform.store.deploys.get(deploy.id)
    app = platform.store.apps.by_id(deploy.app_id)
    if now.state is DeployState.SWITCHED:
        version = f"v{now.version}" if now.version else "what it changed"
        return Conflict(
            f"Deploy {deploy.id} cannot be cancelled any more: {version} is live, and a postdeploy"
            f" command runs to its end, for at most {platform.settings.release_timeout} s",
            hint=f"To take it back then: releases:rollback {app.name}",
        )
    return Conflict(
        f"Deploy {deploy.id} cannot be cancelled: it is {now.state}",
        hint=f"To take back what it made: releases:rollback {app.name}"
        if now.version and now.version == app.version
        else f"deploys:list {app.name} shows what is at work.",
    )
