"""People, their keys and rights, and what they did."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from paas.model import (
    Actor,
    App,
    AuditEntry,
    Role,
    SshKey,
    TokenKey,
    User,
)


class Keys(Protocol):
    """Ssh keys that may push."""

    def add(self, key: SshKey, *, is_admin: bool | None = None) -> None:
        """Add a key, and its user if there is none of the name: see Users.add for `is_admin`.

        Raises Conflict if its name or its fingerprint is there already, also as a token's.
        """

    def remove(self, name: str) -> SshKey:
        """Remove and return a key. Raises NotFound."""

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
