"""The seam to the database: one small protocol per topic, all reached from the Store.

Reads return values of model.py. Writes are one `BEGIN IMMEDIATE` transaction each. `app` arguments
are ids; a name becomes an id once, in dispatch or in the command, through `apps.get`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from paas.model import (
    Actor,
    App,
    AppEvent,
    AuditEntry,
    Candidate,
    Certificate,
    Container,
    ContainerRole,
    Deploy,
    DeployState,
    Desired,
    End,
    Finding,
    JournalLine,
    Notice,
    Release,
    Role,
    SecurityOptions,
    SshKey,
    TokenKey,
    User,
)
from paas.network import Attachment, Phase, SharedNetwork
from paas.tasks import CronJob, Errand, Run
from paas.volume import Mount, Volume
from paas.workers import Worker


class Apps(Protocol):
    """Apps by name and id."""

    def create(self, name: str, owner: str | None = None, *, for_push: bool = False) -> App:
        """Create an app, of a user if one is given. Raises Conflict if the name is taken.

        Its id is never used again. With `for_push` it is among unborn(), as this process's.
        """

    def claim(self, app: int) -> bool:
        """Make an app of unborn() this process's; return whether it is one."""

    def settle(self, app: int) -> None:
        """Make the app nobody's: a push was accepted, and it stays whatever happens."""

    def unborn(self) -> Mapping[int, Worker]:
        """Return the apps that a push made, while none was accepted, and whose each of them is.

        It goes when its process fails or dies.
        """

    def get(self, name: str) -> App:
        """Return the app. Raises NotFound (exit 20) with the nearest existing name as hint."""

    def by_id(self, app: int) -> App:
        """Return the app with this id. Raises NotFound."""

    def find(self, name: str) -> App | None:
        """Return the app or None."""

    def list(self) -> tuple[App, ...]:
        """Return all apps, by name."""

    def set_desired(self, app: int, desired: Desired) -> None:
        """Say what the owner wants."""

    def set_deploy_branch(self, app: int, branch: str | None) -> None:
        """Say which branch deploys; None: the next that may."""

    def rename(self, app: int, name: str) -> App:
        """Give the app another name. Raises Conflict if it is taken, InvalidName."""

    def copy_settings(self, source: int, target: int) -> None:
        """Give a new app config, formation and properties of another, but no domains or walls."""

    def destroy(self, app: int) -> None:
        """Delete the app and all that belongs to it."""


class Config(Protocol):
    """Config vars, as they are stored now; a release holds its own snapshot.

    App None means the vars of all apps.
    """

    def get(self, app: int | None) -> Mapping[str, str]:
        """Return the app's own vars, by key."""

    def preview(
        self, app: int | None, values: Mapping[str, str], remove: Sequence[str] = ()
    ) -> Mapping[str, str]:
        """Return what change() would store, without storing it. Raises InvalidName as it does."""

    def change(
        self, app: int | None, values: Mapping[str, str], remove: Sequence[str] = ()
    ) -> None:
        """Set and remove vars at once. Raises InvalidName for keys, sizes and NUL in values."""


class Domains(Protocol):
    """Domains added to apps, wildcards too; default domains are derived (paas.vhosts)."""

    def list(self, app: int) -> tuple[str, ...]:
        """Return the added domains, in the order they were added."""

    def change(self, app: int, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        """Add and remove at once. Raises Conflict if another app has one of them, NotFound."""


class Releases(Protocol):
    """Immutable releases, numbered per app."""

    def get(self, app: int, version: int) -> Release:
        """Return one release. Raises NotFound."""

    def current(self, app: int) -> Release | None:
        """Return the current release, None before the first deploy."""

    def list(self, app: int) -> tuple[Release, ...]:
        """Return all releases, newest first."""

    def drop(self, release: Release) -> None:
        """Delete a release that is not the current one; the current one stays."""


class Deploys(Protocol):
    """Attempts to make a release."""

    def start(
        self, app: int, actor: Actor, reason: str, commit: str | None, branch: str | None
    ) -> Deploy:
        """Create a deploy in state RECEIVED, owned by the calling process's pid.

        Raises Conflict when somebody has locked the app (apps:lock), unless paas itself deploys.
        """

    def advance(self, deploy: int, state: DeployState) -> None:
        """Commit a transition, before its side effect. Never moves a final state.

        Raises Cancelled when somebody has cancelled the deploy.
        """

    def fail(self, deploy: int, state: DeployState, error: str) -> None:
        """End the deploy as FAILED or CANCELLED with a cause.

        Does nothing once it is final, or SWITCHED: after the commit point only revert() fails it.
        """

    def commit(
        self,
        deploy: int,
        candidate: Candidate,
        containers: Sequence[Container],
        config: Mapping[str, str] | None = None,
    ) -> Release:
        """Make the candidate the current release: THE commit point, one transaction.

        Creates release v(N+1) of the deploy's app and makes it current; replaces the stored config
        if `config` is given; desired = RUNNING; `containers` become CURRENT, all other containers
        of the app become DRAINING; the deploy becomes SWITCHED with its version. Raises Cancelled
        when somebody has cancelled the deploy, Conflict when it is over otherwise.
        """

    def replace(
        self,
        deploy: int,
        containers: Sequence[Container],
        formation: Mapping[str, int] | None = None,
    ) -> None:
        """Make these the app's CURRENT containers, without a new release, in one transaction.

        All others become DRAINING; desired = RUNNING; the deploy becomes SWITCHED. `formation`
        replaces the stored quantities. Raises as commit() does.
        """

    def cancel(self, deploy: int, actor: Actor) -> bool:
        """Ask a deploy to undo itself; False when it is over, or past its commit point.

        From now on advance(), commit() and replace() raise Cancelled for it.
        """

    def revert(self, deploy: int, error: str) -> None:
        """Take commit() or replace() back, because the route could not be moved.

        The previous release, its config, formation and containers are current again, the new ones
        STARTING; the release row is deleted; the deploy FAILED. Raises Conflict unless the deploy
        is SWITCHED and its release is the current one.
        """

    def get(self, deploy: int) -> Deploy:
        """Return one deploy. Raises NotFound."""

    def list(self, app: int | None = None, limit: int = 50) -> tuple[Deploy, ...]:
        """Return deploys, newest first."""

    def unfinished(self) -> tuple[Deploy, ...]:
        """Return deploys that are in no final state, oldest first."""

    def newest_finished(self) -> Mapping[int, int]:
        """Return {app id: its newest deploy that is over}."""

    def forget(self, app: int, keep: int) -> None:
        """Drop the app's deploys that are over, but for the newest `keep`.

        Those of releases, and of containers that are there, always stay.
        """

    def ids(self) -> frozenset[int]:
        """Return the numbers of all deploys."""

    def last_duration(self, app: int) -> float | None:
        """Return how long the last DONE deploy took, in seconds."""


class Containers(Protocol):
    """Containers that the database knows, and their fixed addresses."""

    def reserve(self, app: App, deploy: int, process_type: str, slot: int, port: int) -> Container:
        """Give the process a free address of the app's subnet: role STARTING, id "".

        Asking again for the same deploy, type and slot returns the same row. Raises Conflict when
        the subnet is full.
        """

    def started(self, container: Container, container_id: str) -> Container:
        """Record the engine's id for a reserved row (or a new one for a restarted process)."""

    def of(self, app: int, role: ContainerRole | None = None) -> tuple[Container, ...]:
        """Return the app's containers, by process type and slot."""

    def list(self) -> tuple[Container, ...]:
        """Return all containers of the instance."""

    def current_to_draining(self, app: int) -> tuple[Container, ...]:
        """Mark the current containers as draining (ps:stop); return them."""

    def forget(self, container: Container) -> None:
        """Delete the row; the container is gone."""


class Keys(Protocol):
    """Ssh keys that may push."""

    def add(self, key: SshKey, *, is_admin: bool | None = None) -> None:
        """Add a key, and its user if there is none of the name: see Users.add for `is_admin`.

        Raises Conflict if its name or its fingerprint is there already, also as a token's.
        """

    def remove(self, name: str) -> SshKey:
        """Remove and return a key. Raises NotFound."""

    def by_fingerprint(self, fingerprint: str) -> SshKey | None:
        """Return the key or None."""

    def list(self, user: str | None = None) -> tuple[SshKey, ...]:
        """Return all keys, or those of a user, by name."""

    def authorized(self) -> tuple[SshKey, ...]:
        """Return all keys that open the doors now: those of users, and of tokens."""


class Users(Protocol):
    """Who may come in."""

    def add(self, name: str, *, is_admin: bool | None = None) -> User:
        """Add a user; None makes an admin of who comes while there is none. Raises Conflict."""

    def get(self, name: str) -> User:
        """Return a user. Raises NotFound."""

    def list(self) -> tuple[User, ...]:
        """Return all users, by name."""

    def set_admin(self, name: str, *, is_admin: bool) -> None:
        """Make a user an admin, or a member. Raises NotFound."""

    def remove(self, name: str) -> None:
        """Remove a user, with keys and grants. Raises NotFound."""

    def actor(self, fingerprint: str) -> Actor | None:
        """Return whose key it is: a user, or a token that is not over; None for a stranger."""


class Grants(Protocol):
    """Which apps an actor sees, and with what role: an admin every one, a token its own."""

    def find(self, actor: Actor, name: str) -> tuple[App, Role]:
        """Return an app and the actor's role there. Raises NotFound (exit 20) as Apps.get.

        For an app that the actor does not see it is the same error; its hint names only others.
        """

    def list(self, actor: Actor) -> tuple[tuple[App, Role], ...]:
        """Return all apps that the actor sees, by name, with the roles."""

    def nearest(self, actor: Actor, name: str) -> str | None:
        """Return the name most like `name` of the apps that the actor sees, if one is alike."""

    def of_app(self, app: int) -> Mapping[str, Role]:
        """Return {user: role} of an app."""

    def of_user(self, user: str) -> Mapping[str, Role]:
        """Return {app's name: role} of a user."""

    def set(self, app: int, user: str, role: Role) -> None:
        """Give a user a role, in the place of another. Raises NotFound."""

    def remove(self, app: int, user: str) -> None:
        """Take a user's role away. Raises NotFound."""


class Tokens(Protocol):
    """Keys of machines: each for one app and a few verbs."""

    def add(self, made: TokenKey) -> None:
        """Add a token. Raises Conflict for a name that the app has, and a key that is in use."""

    def remove(self, app: int, name: str) -> TokenKey:
        """Remove and return a token. Raises NotFound."""

    def of_app(self, app: int) -> tuple[TokenKey, ...]:
        """Return the app's tokens by name, with those that are over."""

    def made_by(self, user: str) -> tuple[tuple[str, str], ...]:
        """Return (app's name, token's name) of all that a user has made."""


class Audit(Protocol):
    """Every command that was typed. Lines are added and completed, never changed."""

    def add(self, entry: AuditEntry) -> int:
        """Add a line; return its number. The actor's oldest beyond 20,000 are dropped."""

    def end(self, number: int, entry: AuditEntry) -> None:
        """Complete a line; add it if it is not there: a backup has replaced the database."""

    def read(
        self, limit: int, since: float = 0.0, actor: str | None = None, app: str | None = None
    ) -> Iterator[AuditEntry]:
        """Yield lines, newest first: of an actor, or about an app, if one is given."""


class Formation(Protocol):
    """How many processes of each type an app wants."""

    def get(self, app: int) -> Mapping[str, int]:
        """Return {process type: quantity}; types that were never scaled are not in it."""

    def preview(self, app: int, quantities: Mapping[str, int]) -> Mapping[str, int]:
        """Return what set() would store, without storing it. Raises InvalidName as it does."""

    def set(self, app: int, quantities: Mapping[str, int]) -> None:
        """Set quantities; others stay. Raises InvalidName."""


class Security(Protocol):
    """The walls of an app."""

    def get(self, app: int) -> SecurityOptions:
        """Return the options; the hardened defaults when nothing was set."""

    def set(self, app: int, options: SecurityOptions) -> None:
        """Store the options."""


class Properties(Protocol):
    """Plain `topic:set app key [value]` properties. App None is global."""

    def get(self, app: int | None, topic: str) -> Mapping[str, str]:
        """Return {key: value}."""

    def set(self, app: int | None, topic: str, key: str, value: str | None) -> None:
        """Set a value; None or "" clears."""


class Recovery(Protocol):
    """What befell current processes, and what paas does about it; it outlives the daemon."""

    def note(self, container: Container, end: End) -> bool:
        """Record an end; return False if it is known already. What is old is forgotten."""

    def ends(self, container: Container, now: float) -> Sequence[End]:
        """Return what befell the process in the last ten minutes, oldest first."""

    def trouble(
        self, container: Container, why: str, due: float, *, is_parked: bool = False
    ) -> None:
        """Say why a process does not run, and when to look after it again.

        The journal tells it; a `crashed` notice goes out when it was well, and when it is parked.
        """

    def well(self, container: Container) -> None:
        """Say that a process in trouble is well again, with a line and a `recovered` notice."""


class Journal(Protocol):
    """What paas itself has to say among an app's log lines."""

    def add(self, app: int, text: str) -> None:
        """Add a line; the oldest beyond 500 are dropped."""

    def read(self, app: int, lines: int, after: int = 0) -> Sequence[JournalLine]:
        """Return the last lines whose id is larger than `after`, oldest first."""


class Ear(Protocol):
    """Hears when the database has changed, until it is closed."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when something has changed."""

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for a change since the last call; False when time is up, or when it was closed."""

    def close(self) -> None:
        """Listen no more; who waits is not woken by that."""


class Events(Protocol):
    """What happened to apps, and on the instance. The oldest beyond 10,000 are dropped.

    Our own are written in the transactions that make them true.
    """

    def add(self, events: Sequence[AppEvent]) -> None:
        """Add what was seen outside, such as the engine's events."""

    def read(
        self, limit: int, after: int = 0, apps: Collection[str] | None = None
    ) -> Sequence[AppEvent]:
        """Return the last events whose id is larger than `after`, oldest first.

        `apps` are the names whose events are wanted (default: all, and those of no app).
        """

    def listen(self) -> Ear:
        """Listen for changes of the database from now on: no polling, and nothing is missed."""

    def ring(self) -> None:
        """Wake all that listen, as every change does."""


class Notices(Protocol):
    """Notices on their way out. They are queued in the transaction that makes them true."""

    def due(self, now: float, limit: int) -> Sequence[Notice]:
        """Return the oldest notices that are to be sent by now."""

    def is_due(self, now: float) -> bool:
        """Return whether there are any."""

    def done(self, notice: int) -> None:
        """Forget a notice: it was delivered, or given up."""

    def retry(self, notice: int, due: float, error: str) -> None:
        """Count an attempt, and say when the next one is due should this one fail."""

    def explain(self, notice: int, error: str) -> None:
        """Say why the last attempt failed."""

    def waiting(self) -> tuple[int, str]:
        """Return how many wait, and the error of the last attempt that failed."""


class Runs(Protocol):
    """One-off containers and what came of them; the newest 50 that are over are kept per app."""

    def begin(self, app: App, errand: Errand, version: int, *, has_address: bool) -> Run:
        """Reserve a number, and an address; it ends with the calling process.

        Raises Conflict when too many run at once, and when a schedule's minute has begun already.
        """

    def skip(self, app: int, errand: Errand, version: int, why: str) -> None:
        """Note that a schedule's minute came and nothing was begun. A second time is no error."""

    def started(self, run: Run, container_id: str, *, alone: bool = False) -> Run:
        """Store the engine's id; `alone` says that it runs on when the calling process ends.

        Raises NotFound if it is not wanted any more.
        """

    def end(self, run: Run, status: int | None, error: str = "", output: str = "") -> None:
        """Say that it is over, once; a job of cron that failed becomes a notice and a line."""

    def open(self, app: int | None = None) -> tuple[Run, ...]:
        """Return what is not over yet, of one app or of all."""

    def list(self, app: int, job: str | None = None) -> tuple[Run, ...]:
        """Return what is known, the newest first, of all kinds or of one job of cron."""

    def get(self, app: int, run: int) -> Run:
        """Return one. Raises NotFound."""

    def output(self, run: Run) -> str:
        """Return the last lines of one that is over, each with its time in front."""


class CronJobs(Protocol):
    """The jobs of apps, from their current releases' manifests and from cron:add."""

    def of(self, app: int) -> tuple[CronJob, ...]:
        """Return the app's jobs: those of app.json first."""

    def list(self) -> tuple[CronJob, ...]:
        """Return the jobs of all apps that are meant to run."""

    def add(self, app: int, job: CronJob) -> None:
        """Store a job. Raises Conflict if there is such a one."""

    def remove(self, app: int, job: str) -> None:
        """Forget a job that was added. Raises NotFound."""


class Certificates(Protocol):
    """The certificate of each app that has one."""

    def get(self, app: int) -> Certificate | None:
        """Return the app's certificate, with its key."""

    def set(self, app: int, certificate: Certificate) -> None:
        """Put a certificate in the place of the one there was."""

    def remove(self, app: int) -> bool:
        """Forget the certificate; return whether there was one."""


class Adoption(Protocol):
    """A database from a backup, checked and made fit for this instance; nothing is replaced yet."""

    @property
    def apps(self) -> tuple[App, ...]:
        """Its apps."""

    @property
    def images(self) -> Mapping[int, frozenset[str]]:
        """The images of their releases: {app id: image ids}."""

    def commit(self) -> None:
        """Put it in the place of this instance's database. Raises Conflict if that has apps."""


class Storage(Protocol):
    """Named volumes, and where the apps' processes see them."""

    def create(self, name: str, size: int) -> Volume:
        """Note a volume. Raises Conflict if the name is taken, InvalidName."""

    def find(self, name: str) -> Volume | None:
        """Return the volume or None."""

    def list(self) -> tuple[Volume, ...]:
        """Return all volumes, by name."""

    def destroy(self, name: str) -> None:
        """Forget a volume. Raises Conflict while it is mounted."""

    def mount(self, mount: Mount) -> None:
        """Note a mount; the volume is the app's from now on.

        Raises NotFound, and Conflict if it is another app's or if the place is taken.
        """

    def unmount(self, app: int, volume: str, directory: str | None) -> int:
        """Forget an app's mounts of a volume, at one place or at all; return how many."""

    def mounts(self, app: int | None = None, volume: str | None = None) -> tuple[Mount, ...]:
        """Return the mounts of an app, of a volume, or all."""


class Networks(Protocol):
    """Networks that apps share; see paas.networks."""

    def create(self, name: str, owner: str | None) -> SharedNetwork:
        """Note a network. Raises Conflict if the name or every subnet is taken, InvalidName."""

    def find(self, name: str) -> SharedNetwork | None:
        """Return the network or None."""

    def list(self) -> tuple[SharedNetwork, ...]:
        """Return all networks, by name."""

    def destroy(self, network: int) -> None:
        """Forget a network. Raises Conflict while an app is attached."""

    def attachments(
        self, app: int | None = None, network: int | None = None
    ) -> tuple[Attachment, ...]:
        """Return the attachments of an app, of a network, or all, by the network's name."""

    def attach(self, app: int, phase: Phase, networks: Sequence[int]) -> None:
        """Make these the app's networks of a phase, in place of those it had.

        Raises NotFound, and Conflict if one is the app's in another phase.
        """

    def seat(self, container: Container, network: SharedNetwork) -> str:
        """Return the container's fixed address on a network; it stays until the row is forgotten.

        Raises NotFound if there is no such row, Conflict if all addresses are taken.
        """


class Store(Protocol):
    """The database of one instance. Connects on first use, so that it can be made before a fork."""

    @property
    def apps(self) -> Apps: ...
    @property
    def networks(self) -> Networks: ...
    @property
    def config(self) -> Config: ...
    @property
    def domains(self) -> Domains: ...
    @property
    def releases(self) -> Releases: ...
    @property
    def deploys(self) -> Deploys: ...
    @property
    def containers(self) -> Containers: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def users(self) -> Users: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def formation(self) -> Formation: ...
    @property
    def security(self) -> Security: ...
    @property
    def storage(self) -> Storage: ...
    @property
    def properties(self) -> Properties: ...
    @property
    def recovery(self) -> Recovery: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def events(self) -> Events: ...
    @property
    def notices(self) -> Notices: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def cron(self) -> CronJobs: ...
    @property
    def certificates(self) -> Certificates: ...

    def check(self) -> tuple[Finding, ...]:
        """Return the database's part of `doctor`."""

    def snapshot(self, path: Path) -> int:
        """Write a copy that is whole, while others write on; return its schema's number."""

    def adopt(self, file: Path, network: str) -> Adoption:
        """Check a snapshot, which may be of another instance, and make it fit for this one.

        `network` is the range of addresses of the instance that it comes from. Raises PaasError
        for a file that is damaged, or of a newer paas.
        """

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
