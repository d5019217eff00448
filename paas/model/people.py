"""Who comes in, by which key, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum

from paas.model.names import key_name


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


LOCAL_ADMIN = Actor("root", is_host=True, is_admin=True)
SYSTEM = Actor("paas", is_host=True, is_admin=True)


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
