"""Apps and what is set for them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from paas.model import (
    App,
    Certificate,
    Desired,
    SecurityOptions,
)
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


class Certificates(Protocol):
    """The certificate of each app that has one."""

    def get(self, app: int) -> Certificate | None:
        """Return the app's certificate, with its key."""

    def set(self, app: int, certificate: Certificate) -> None:
        """Put a certificate in the place of the one there was."""

    def remove(self, app: int) -> bool:
        """Forget the certificate; return whether there was one."""
