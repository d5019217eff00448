"""Releases, the attempts to make them, and how they are mended."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from paas.model import (
    Actor,
    Candidate,
    Container,
    Deploy,
    DeployState,
    End,
    Release,
)


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
