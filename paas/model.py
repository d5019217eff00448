"""The words of design.md as frozen values; every name is validated at construction."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar

from paas.errors import Conflict, InvalidName
from paas.manifest import Manifest

APP_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?", re.ASCII)
PROCESS_TYPE = re.compile(r"[a-z][a-z0-9_-]{0,30}", re.ASCII)
CONFIG_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
DOMAIN_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
OBJECT_ID = re.compile(r"[0-9a-f]{40}", re.ASCII)

RESERVED_APP_NAMES = frozenset(
    [
        "paas",
        "git",
        "admin",
        "default",
        "localhost",
        "www",
        "host",
        "none",
        "bridge",
        "stack",
        "apt-cache",
    ]
)
RESERVED_USER_NAMES = frozenset({"root", "paas"})  # of actors who have no key
RESERVED_CONFIG_KEYS = frozenset({"PORT", "HOME", "TMPDIR"})
RESERVED_CONFIG_PREFIXES = ("PAAS_", "DOCKER_")
CONFIG_VALUE_BYTES = 64 * 1024
CONFIG_TOTAL_BYTES = 1024 * 1024
CONFIG_GLOBAL_BYTES = 64 * 1024  # of the vars of all apps: each app's own come on top
UID_BASE = 200_000
RFC_3339 = "%Y-%m-%dT%H:%M:%SZ"  # for time.strftime, in UTC
DEFAULT_PORT = 5000


def app_name(name: str) -> str:
    """Return `name` if it is a valid app name; raise InvalidName otherwise."""
    if not APP_NAME.fullmatch(name) or "--" in name:
        raise InvalidName(
            f"{name!r} is not an app name",
            hint="Use 1-40 lower-case letters, digits and single hyphens, a letter first.",
        )
    if name in RESERVED_APP_NAMES:
        raise InvalidName(f"{name!r} is a reserved name", hint="Choose another app name.")
    return name


def process_type(name: str) -> str:
    """Return `name` if it is a valid process type; raise InvalidName otherwise."""
    if not PROCESS_TYPE.fullmatch(name):
        raise InvalidName(
            f"{name!r} is not a process type",
            hint="Use 1-31 lower-case letters, digits, _ and -, a letter first.",
        )
    return name


def config_key(key: str) -> str:
    """Return `key` if apps may set it; raise InvalidName otherwise."""
    if not CONFIG_KEY.fullmatch(key):
        raise InvalidName(
            f"{key!r} is not a config key",
            hint="Use letters, digits and _, not a digit first, at most 128 characters.",
        )
    if key in RESERVED_CONFIG_KEYS or key.startswith(RESERVED_CONFIG_PREFIXES):
        raise InvalidName(f"{key} is set by paas itself", hint="Choose another key.")
    return key


def domain_name(domain: str) -> str:
    """Return the normalised (lower case, punycode, no final dot) domain; raise InvalidName.

    Limits are those of RFC 1035: labels of at most 63 octets, names of at most 253.
    """
    try:
        name = domain.rstrip(".").lower().encode("idna").decode("ascii") if domain else ""
    except UnicodeError:
        name = ""
    labels = name.split(".")
    if len(name) > 253 or not all(DOMAIN_LABEL.fullmatch(label) for label in labels):  # noqa: PLR2004 - RFC 1035
        raise InvalidName(
            f"{domain!r} is not a domain name",
            hint="Give a host name like shop.example.org, without scheme, port or path.",
        )
    return name


def domain_patterns(domain: str) -> tuple[str, ...]:
    """Return the normalised names that a typed domain stands for; raise InvalidName.

    `*.x` is every name below x, and `.x` both x and what is below it, as in nginx's server_name.
    """
    if not domain.startswith((".", "*.")):
        return (domain_name(domain),)
    name = domain_name(domain.removeprefix("*").removeprefix("."))
    if "." not in name:
        raise InvalidName(
            f"{domain!r} covers too much", hint="Give a wildcard such as *.shop.example.org"
        )
    return (f"*.{name}",) if domain.startswith("*") else (name, f"*.{name}")


def key_name(name: str) -> str:
    """Return `name` if it can name an ssh key; raise InvalidName otherwise."""
    if not KEY_NAME.fullmatch(name):
        raise InvalidName(
            f"{name!r} is not a key name",
            hint="Use 1-64 letters, digits and . _ @ -, a letter or digit first.",
        )
    return name


def user_name(name: str) -> str:
    """Return `name` if it can name a user; raise InvalidName otherwise."""
    if name in RESERVED_USER_NAMES:
        raise InvalidName(f"{name} is what paas calls itself and the host's owner")
    return key_name(name)


class Desired(StrEnum):
    """What the owner wants of an app."""

    RUNNING = "running"
    STOPPED = "stopped"


class DeployState(StrEnum):
    """The states of one deploy, in order; a crash before SWITCHED is undone, after it finished."""

    RECEIVED = "received"
    BUILDING = "building"
    BUILT = "built"
    RELEASING = "releasing"
    STARTING = "starting"
    HEALTHY = "healthy"
    SWITCHED = "switched"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen to the deploy."""
        return self in {DeployState.DONE, DeployState.FAILED, DeployState.CANCELLED}


class ProcessState(StrEnum):
    """What the engine says of a container."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    EXITED = "exited"
    MISSING = "missing"


@dataclass(frozen=True)
class App:
    """One app. `network_index` (0..2047) fixes its subnet and its service addresses."""

    id: int
    name: str
    network_index: int
    created_at: float
    desired: Desired = Desired.RUNNING
    deploy_branch: str | None = None
    version: int | None = None  # of the current release; None before the first deploy

    def __post_init__(self) -> None:
        app_name(self.name)

    @property
    def uid(self) -> int:
        """The numeric user (and group) its processes run as."""
        return UID_BASE + self.id


@dataclass(frozen=True)
class Token:
    """What a machine's key may do: a few verbs on one app."""

    app_id: int
    name: str
    verbs: frozenset[str]


@dataclass(frozen=True)
class Actor:
    """Who typed a command: the local admin, a user by one of the user's keys, or a token."""

    name: str  # of a token: "shop:ci"; no user has a colon
    is_host: bool = False  # root on the host, over the local door
    fingerprint: str | None = None
    is_admin: bool = False
    token: Token | None = None
    maker: str | None = None  # who made the token, and answers for what it does

    @property
    def sees_all(self) -> bool:
        """Whether every app is open to the actor."""
        return self.is_host or self.is_admin

    @property
    def user(self) -> str | None:
        """The user's name; None for root on the host and for a token."""
        return None if self.is_host or self.token else self.name


class Role(StrEnum):
    """What a user may do to one app; each covers those before it."""

    VIEWER = "viewer"
    DEPLOYER = "deployer"
    OWNER = "owner"

    def covers(self, other: "Role") -> bool:
        """Whether who has this role may do what needs the other."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class User:
    """Somebody with keys."""

    name: str
    is_admin: bool
    created_at: float


@dataclass(frozen=True)
class Certificate:
    """An app's certificate: its chain, its own first, and the private key, all PEM (RFC 7468)."""

    chain: str
    key: str = field(repr=False)
    names: tuple[str, ...] = ()  # the host names it is good for; `*.example.org` is one level

    def covers(self, domain: str) -> bool:
        """Return whether clients accept it for the domain (RFC 6125, 6.4.3)."""
        return domain in self.names or f"*.{domain.partition('.')[2]}" in self.names


LOCAL_ADMIN = Actor("root", is_host=True, is_admin=True)
SYSTEM = Actor("paas", is_host=True, is_admin=True)


@dataclass(frozen=True)
class AppLock:
    """Who has locked an app against deploys, and since when (seconds since the epoch)."""

    TOPIC: ClassVar = "apps"  # where it stands among the properties
    KEY: ClassVar = "locked"

    actor: str
    since: float

    def __str__(self) -> str:
        return f"is locked by {self.actor} since {time.strftime(RFC_3339, time.gmtime(self.since))}"

    def refusal(self, app: str) -> Conflict:
        """Return the error for whoever wants to deploy the app of this name."""
        return Conflict(f"{app} {self}: nothing is deployed", hint=f"To go on: apps:unlock {app}")

    @property
    def text(self) -> str:
        """How it is stored."""
        return f"{self.since:.0f} {self.actor}"

    @classmethod
    def parse(cls, text: str) -> "AppLock":
        """Return the lock of a stored text."""
        since, _, actor = text.partition(" ")
        return cls(actor, float(since))


@dataclass(frozen=True)
class ProcessType:
    """A line of a Procfile. `command` None means the image's own command."""

    name: str
    command: str | None

    def __post_init__(self) -> None:
        process_type(self.name)


@dataclass(frozen=True)
class Image:
    """An image as the engine knows it, named by content (`id` is `sha256:...`)."""

    id: str
    size: int  # bytes
    new_bytes: int = 0  # bytes in layers that this build added
    exposed: tuple[int, ...] = ()  # tcp ports of EXPOSE, ascending
    volumes: tuple[str, ...] = ()  # paths of VOLUME
    command: tuple[str, ...] = ()  # ENTRYPOINT + CMD
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Candidate:
    """What make_release() made and activate() may turn into the next release."""

    image: Image
    processes: tuple[ProcessType, ...]
    config: Mapping[str, str]
    port: int
    commit: str | None
    summary: str  # the plan in one line: "Python 3.13.5 (.python-version), uv (uv.lock), Flask"
    manifest: Manifest = field(default_factory=Manifest)
    inherited: tuple[str, ...] = ()  # keys of the config that are those of all apps
    detected_port: int | None = None  # where `port` was chosen by ports:set: what it was instead of


@dataclass(frozen=True)
class Release:
    """A version of an app that was current at some time; immutable."""

    id: int
    app_id: int
    version: int
    image: str
    config: Mapping[str, str]
    processes: tuple[ProcessType, ...]
    port: int
    commit: str | None
    deploy_id: int
    actor: str
    reason: str
    created_at: float
    volumes: tuple[str, ...] = ()  # VOLUME paths of the image, covered at run time
    manifest: Manifest = field(default_factory=Manifest)
    inherited: tuple[str, ...] = ()  # as in Candidate
    detected_port: int | None = None  # as in Candidate


@dataclass(frozen=True)
class Deploy:
    """One attempt to make a release current."""

    id: int
    app_id: int
    state: DeployState
    actor: str
    reason: str  # "push", "config:set", "ps:rebuild", ...
    commit: str | None
    branch: str | None
    started_at: float  # seconds since the epoch
    finished_at: float | None = None
    version: int | None = None  # of the release it made
    error: str = ""
    pid: int | None = None  # of the process that works on it
    pid_started: int | None = None  # see workers.started_at()
    cancelled_by: str | None = None  # who asked; it is undone then
    steps: tuple[tuple[DeployState, float], ...] = ()  # when each state was entered


class ContainerRole(StrEnum):
    """Why a container exists: to become current, being current, or ending its connections."""

    STARTING = "starting"
    CURRENT = "current"
    DRAINING = "draining"


@dataclass(frozen=True)
class Container:
    """A container that the database knows. Only ids from here are trusted, never labels."""

    id: str
    app_id: int
    deploy_id: int
    process_type: str
    slot: int  # 1 for web.1
    address: str  # IPv4, fixed
    port: int
    role: ContainerRole
    created_at: float
    trouble: str = ""  # why it does not run, or did not a moment ago; "" when it is well
    due: float = 0.0  # with trouble: when to look after it again, seconds since the epoch
    is_parked: bool = False  # crashed too often: it stays down until a deploy or ps:restart

    @property
    def process(self) -> str:
        """The process's name, `web.1`."""
        return f"{self.process_type}.{self.slot}"


class EndKind(StrEnum):
    """What befell a current process."""

    CRASH = "crash"  # it ended by itself, with whatever status
    START = "start"  # it was missing, or could not be started
    HAND = "hand"  # somebody asked the engine for it


@dataclass(frozen=True)
class End:
    """One of these; `ended` is the engine's time, by which one end is told from another."""

    kind: EndKind
    ended: float
    at: float  # when paas saw it, seconds since the epoch


@dataclass(frozen=True)
class JournalLine:
    """What paas itself has to say among an app's log lines; ids only grow."""

    id: int
    at: float
    text: str


@dataclass(frozen=True)
class AppEvent:
    """Something that happened to an app (`app` "": to none), for `events`; ids only grow.

    `kind` is a word of ours ("deployed", "config-changed") or the engine's ("die", "oom").
    """

    app: str
    kind: str
    process: str = ""  # "web.1"
    details: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    id: int = 0
    at: float = 0.0


@dataclass(frozen=True)
class Notice:
    """A webhook call to be made. `url` is "" when nobody wants it any more; `body` is JSON."""

    id: int
    url: str
    body: str
    attempts: int


@dataclass(frozen=True)
class SshKey:
    """A public key that may push; `blob` is base64, without type and comment."""

    name: str
    type: str
    blob: str
    fingerprint: str  # SHA256:..., as ssh-keygen prints it
    created_at: float
    user: str = ""  # whose it is; "": of the user that has its name

    def __post_init__(self) -> None:
        key_name(self.name)


@dataclass(frozen=True)
class TokenKey:
    """A token as it is stored: with the key that proves it, and until when it holds."""

    token: Token
    key: SshKey  # its name is the token's
    created_by: str
    expires_at: float | None = None  # None: never

    def is_over(self, now: float) -> bool:
        """Whether it does not hold any more."""
        return self.expires_at is not None and self.expires_at < now


@dataclass(frozen=True)
class AuditEntry:
    """A command in the audit log. Apps and users are words: the log outlives them."""

    at: float
    actor: str  # "?" for a key that is not known
    door: str
    fingerprint: str | None
    verb: str  # "?" for one that does not exist
    app: str | None = None
    about: str = ""  # names, never values
    status: int | None = None  # None while it is at work, or when it was killed
    seconds: float | None = None


@dataclass(frozen=True)
class SecurityOptions:
    """The walls of one app's containers. The defaults are the hardened profile.

    Every field that is loosened is shown by `security:report`. Sizes are bytes.
    """

    writable_root: bool = False
    tmp_size: int = 64 * 1024 * 1024
    tmpfs: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # path -> size
    memory: int | None = None  # None: the host's default (settings.app_memory)
    pids: int = 256
    run_as: int | None = None  # None: uid 200000 + app id; never 0
    shm_size: int = 64 * 1024 * 1024  # of /dev/shm; what is in it counts as memory
    open_files: int = 4096


@dataclass(frozen=True)
class Finding:
    """One line of `paas doctor`. `level` is "ok", "warn" or "fail"; `hint` says what to do."""

    check: str
    level: str
    message: str
    hint: str = ""
