"""A push: the app is found or made, its lock taken, the deploy run inside git's update phase."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from paas import access, gitset, identity, operate
from paas import deploy as pipeline
from paas.attempt import Attempt, open_attempt
from paas.errors import Conflict, NotFound, PaasError
from paas.git.base import NoWait, Push, Sideband
from paas.locks import Holder
from paas.model import Actor, App, Deploy, DeployState
from paas.platform import Platform
from paas.reporter import DETAIL, PROBLEM, STEP
from paas.workers import is_alive, this_process


@dataclass(frozen=True)
class Client:
    """The pusher's git: its streams, and what the push does to its connection.

    `let_go` ends it while the deploy goes on; after `outlive` its hang-up changes nothing.
    """

    stdin: BinaryIO
    stdout: BinaryIO
    let_go: Callable[[], None]
    outlive: Callable[[], None]


def receive(platform: Platform, name: str, actor: Actor, client: Client) -> int:
    """Speak git-receive-pack for the app called `name`; return the exit status.

    An app that does not exist is created; if its first push fails, it is not left behind.
    """
    existing = access.find_app_to_push(platform.store, actor, name)
    nearest = None if existing else platform.store.grants.nearest(actor, name)
    if existing is None:
        identity.refuse_new(platform, name)
    app = existing or access.create_app(platform.store, actor, name, for_push=True)
    is_ours = _claim(platform, app)
    handler = Pusher(platform, app, actor, client, is_ours, nearest)
    try:
        return platform.repos.receive(app, client.stdin, client.stdout, handler)
    finally:
        client.outlive()  # of a new app half a removal would be left
        if is_ours and not handler.accepted:
            _remove_unborn(platform, app)


@dataclass
class Pusher:
    """What the git room calls back for one push (git/base.py's PushHandler).

    `accepted` tells whether anything was kept: then a new app stays. It does too when the client
    has left, who will want to see how the deploy ended.
    """

    platform: Platform
    app: App
    actor: Actor
    client: Client
    created: bool
    nearest: str | None = None
    accepted: bool = False
    no_wait: NoWait | None = None  # until the client has left
    record: Deploy | None = None

    def arrived(self) -> None:
        """From here on a client that hangs up changes nothing; before, it ends the push."""
        self.client.outlive()

    @contextmanager
    def lock(self, sideband: Sideband, no_wait: NoWait | None = None) -> Iterator[None]:
        """Hold the app's lock; one push waits, the newest wins."""
        self.arrived()  # also where no pack came
        identity.refuse_locked(self.platform, self.app)
        self.no_wait = no_wait
        if self.created:
            hint = f" (did you mean {self.nearest}?)" if self.nearest else ""
            sideband.write(f"{STEP}Creating {self.app.name}: a new app{hint}\n")
        with (
            self._noting(no_wait, sideband),
            self.platform.locks.app(
                self.app.id,
                self.actor.name,
                "push",
                waiting=lambda holder: self._wait(holder, sideband),
                patience=0.2,
            ),
        ):
            pipeline.end_abandoned(self.platform, self.app)
            self._refresh()
            yield
            self._accept()

    def deploy_branch(self) -> str | None:
        """Return the branch that deploys, if it is known already."""
        return gitset.deploy_branch(self.platform, self.app)

    def deploy(self, push: Push, sideband: Sideband) -> None:
        """Deploy the pushed commit. Raises PaasError with a line fit for git's last words."""
        platform, app = self.platform, self.app
        record = platform.store.deploys.start(app.id, self.actor, "push", push.new, push.branch)
        self.record = record
        try:
            with open_attempt(
                platform, record, self.actor, sideband, verbose=push.options.verbose
            ) as attempt:
                attempt.reporter.line(STEP, _received(app, push, self.actor))
                self._leave_deploying(attempt)
                pipeline.deploy_source(
                    attempt,
                    push.source,
                    push.options,
                    keep=lambda: platform.repos.keep(app, record.id, push.new),
                )
        except PaasError as error:
            if self.created and not self.accepted:
                sideband.write(_not_kept(platform, app))
            more = pipeline.outlook(platform, record)
            raise type(error)(f"{error.message}{more}") from error

    def _wait(self, holder: Holder, sideband: Sideband) -> None:
        """Say who is before us; a client that does not wait leaves now."""
        sideband.write(f"{PROBLEM}Waiting for another {holder}\n")
        if self.no_wait:
            see = f"{self.platform.settings.ssh_command} deploys:list {self.app.name}"
            sideband.write(f"{DETAIL}It is deployed after that, without you. See: {see}\n")
            self._leave(self.no_wait)

    def _leave_deploying(self, attempt: Attempt) -> None:
        if self.no_wait:
            ssh, app = attempt.platform.settings.ssh_command, attempt.app.name
            attempt.reporter.detail(
                f"Deploying without you. Follow: {ssh} deploys:log {app} {attempt.deploy.id} -t"
            )
            self._leave(self.no_wait)

    def _leave(self, no_wait: NoWait) -> None:
        """Answer the client and let it go; from here on nobody reads what is said."""
        self.no_wait = None
        self._accept()
        no_wait.accept()
        self.client.let_go()

    @contextmanager
    def _noting(self, no_wait: NoWait | None, sideband: Sideband) -> Iterator[None]:
        """Note a push that fails in the queue as a failed deploy, if its client has left."""
        try:
            yield
        except PaasError as error:
            has_left = self.no_wait is None
            if no_wait and has_left and self.record is None and self._still_there():
                self._note(no_wait, error, sideband)
            raise

    def _note(self, no_wait: NoWait, error: PaasError, sideband: Sideband) -> None:
        deploys = self.platform.store.deploys
        record = deploys.start(self.app.id, self.actor, "push", no_wait.commit, no_wait.branch)
        with open_attempt(self.platform, record, self.actor, sideband) as attempt:
            attempt.reporter.failure(error)
        deploys.fail(record.id, DeployState.FAILED, error.message)

    def _still_there(self) -> bool:
        found = self.platform.store.apps.find(self.app.name)
        return found is not None and found.id == self.app.id

    def _accept(self) -> None:
        """Keep a new app, before the client learns that something was taken."""
        self.accepted = True
        self.platform.store.apps.settle(self.app.id)

    def _refresh(self) -> None:
        """Read the app again: it, the key or the role may be gone since the push began."""
        try:
            self.app = self.platform.store.apps.by_id(self.app.id)
        except NotFound as error:
            raise Conflict(
                f"{self.app.name} was destroyed while this push waited",
                hint="Push again to create it anew.",
            ) from error
        access.confirm(self.platform.store, self.actor, self.app)


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
