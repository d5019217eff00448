"""A push: the app is found or made, its lock taken, the deploy run inside git's update phase."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from paas import access, gitset, identity, operate
from paas import deploy as pipeline
from paas.attempt import open_attempt
from paas.errors import Conflict, NotFound, PaasError
from paas.git.base import Push, Sideband
from paas.locks import Holder
from paas.model import Actor, App
from paas.platform import Platform
from paas.reporter import DETAIL, PROBLEM, STEP
from paas.workers import is_alive, this_process


def receive(platform: Platform, name: str, actor: Actor, stdin: BinaryIO, stdout: BinaryIO) -> int:
    """Speak git-receive-pack for the app called `name`; return the exit status.

    An app that does not exist is created; if its first push fails, it is not left behind.
    """
    existing = access.find_app_to_push(platform.store, actor, name)
    nearest = None if existing else platform.store.grants.nearest(actor, name)
    if existing is None:
        identity.refuse_new(platform, name)
    app = existing or access.create_app(platform.store, actor, name, for_push=True)
    is_ours = _claim(platform, app)
    handler = Pusher(platform, app, actor, created=is_ours, nearest=nearest)
    try:
        return platform.repos.receive(app, stdin, stdout, handler)
    finally:
        if is_ours and not handler.accepted:
            _remove_unborn(platform, app)


class Pusher:
    """What the git room calls back for one push (git/base.py's PushHandler).

    `accepted` tells whether anything was kept: then a new app stays.
    """

    def __init__(
        self, platform: Platform, app: App, actor: Actor, *, created: bool, nearest: str | None
    ) -> None:
        self._platform = platform
        self._app = app
        self._actor = actor
        self._created = created
        self._nearest = nearest
        self.accepted = False

    @contextmanager
    def lock(self, sideband: Sideband) -> Iterator[None]:
        """Hold the app's lock; one push waits, the newest wins."""
        identity.refuse_locked(self._platform, self._app)
        if self._created:
            hint = f" (did you mean {self._nearest}?)" if self._nearest else ""
            sideband.write(f"{STEP}Creating {self._app.name}: a new app{hint}\n")
        with self._platform.locks.app(
            self._app.id,
            self._actor.name,
            "push",
            waiting=_tell_waiting(sideband),
            patience=0.2,
        ):
            pipeline.end_abandoned(self._platform, self._app)
            self._refresh()
            yield
            self._accept()

    def deploy_branch(self) -> str | None:
        """Return the branch that deploys, if it is known already."""
        return gitset.deploy_branch(self._platform, self._app)

    def deploy(self, push: Push, sideband: Sideband) -> None:
        """Deploy the pushed commit. Raises PaasError with a line fit for git's last words."""
        platform, app = self._platform, self._app
        record = platform.store.deploys.start(app.id, self._actor, "push", push.new, push.branch)
        try:
            with open_attempt(
                platform, app, record, sideband, verbose=push.options.verbose
            ) as attempt:
                attempt.reporter.line(STEP, _received(app, push, self._actor))
                pipeline.deploy_source(
                    attempt,
                    push.source,
                    push.options,
                    keep=lambda: platform.repos.keep(app, record.id, push.new),
                )
        except PaasError as error:
            if self._created:
                sideband.write(_not_kept(platform, app))
            more = pipeline.outlook(platform, record)
            raise type(error)(f"{error.message}{more}") from error

    def _accept(self) -> None:
        """Keep a new app, before the client learns that something was taken."""
        self.accepted = True
        self._platform.store.apps.settle(self._app.id)

    def _refresh(self) -> None:
        """Read the app again: it may have been destroyed while this push waited.

        The pusher's key or role may be gone too: then this push is refused.
        """
        try:
            self._app = self._platform.store.apps.by_id(self._app.id)
        except NotFound as error:
            raise Conflict(
                f"{self._app.name} was destroyed while this push waited",
                hint="Push again to create it anew.",
            ) from error
        access.confirm(self._platform.store, self._actor, self._app)


def _tell_waiting(sideband: Sideband) -> Callable[[Holder], None]:
    return lambda holder: sideband.write(f"{PROBLEM}Waiting for another {holder}\n")


def _not_kept(platform: Platform, app: App) -> str:
    """Return how to prepare an app whose first push fails: verbs need an app that exists."""
    create = f"{platform.settings.ssh_command} apps:create {app.name}"
    return f"{DETAIL}{app.name} was new and is not kept. To set it up before a push: {create}\n"


def _received(app: App, push: Push, actor: Actor) -> str:
    return (
        f'{app.name}: received {push.new[:7]} "{push.subject}" from {actor.name} '
        f"({push.branch}, {push.files} files)"
    )


def _claim(platform: Platform, app: App) -> bool:
    """Return whether the app is to go when this push fails: its first, or the first has died."""
    owner = platform.store.apps.unborn().get(app.id)
    is_ours = owner is not None and (owner == this_process() or not is_alive(*owner))
    return is_ours and platform.store.apps.claim(app.id)


def _remove_unborn(platform: Platform, app: App) -> None:
    """Remove an app whose first push failed, unless it is another push's by now."""
    try:
        operate.destroy(platform, app, unborn_of=this_process())
    except (Conflict, NotFound):
        return  # another push works on it, or it is gone already
