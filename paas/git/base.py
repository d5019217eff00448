"""The seam to git: repositories, and what a push asks of the pipeline."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from paas.model import App
from paas.source import Source


@dataclass(frozen=True)
class PushOptions:
    """What `git push -o` may ask for."""

    no_cache: bool = False
    verbose: bool = False


@dataclass(frozen=True)
class Push:
    """A checked push of the deploy branch, still in quarantine."""

    branch: str
    old: str | None
    new: str
    subject: str  # of the commit, control characters removed, at most 60 characters
    files: int
    source: Source
    options: PushOptions = PushOptions()


class Sideband(Protocol):
    """Writes to the pusher's terminal; never raises when the pusher is gone."""

    def write(self, text: str) -> None:
        """Send text at once (sideband 2)."""

    def keepalive(self) -> None:
        """Send an empty packet, so that NATs and clients see life."""


class PushHandler(Protocol):
    """What the git room calls back, in this order: lock, deploy_branch, deploy."""

    def lock(self, sideband: Sideband) -> AbstractContextManager[None]:
        """Hold the app's lock; may wait. Raises Conflict when a newer push took the place."""

    def deploy_branch(self) -> str | None:
        """Return the branch that deploys; None: the first of main and master that is pushed."""

    def deploy(self, push: Push, sideband: Sideband) -> None:
        """Deploy; the ref moves only if this returns. A PaasError becomes `ng <ref> <message>`.

        It shows its own failure. All other failures, of lock() too, are shown by the git room.
        """


class Repos(Protocol):
    """The bare repositories of one instance."""

    def receive(self, app: App, stdin: BinaryIO, stdout: BinaryIO, handler: PushHandler) -> int:
        """Speak git-receive-pack to its end; return 0 if every ref was taken, else 1.

        Both streams must have a descriptor.
        """

    def upload(self, app: App, stdin: BinaryIO, stdout: BinaryIO) -> int:
        """Speak git-upload-pack to its end; return the exit status."""

    def keep(self, app: App, deploy_id: int, commit: str) -> None:
        """Commit point, first step: move quarantined objects in, write refs/paas/deploys/<id>."""

    def drop(self, app: App, deploy_id: int) -> None:
        """Undo keep(): remove the hidden ref."""

    def set_branch(self, app: App, branch: str, commit: str) -> None:
        """Move a branch: recovery does this from the release row."""

    def tip(self, app: App, branch: str) -> str | None:
        """Return the commit that a branch points to, None if there is no such branch."""

    def source(self, app: App, commit: str) -> Source:
        """Return the tree of a stored commit. Raises NotFound."""

    def subject(self, app: App, commit: str) -> str:
        """Return the commit's subject line, cleaned; "" when unknown."""

    def commits(
        self, app: App, old: str | None, new: str, limit: int = 50
    ) -> tuple[tuple[str, str], ...]:
        """Return (id, subject) of commits of `new` that `old` lacks, newest first, cleaned."""

    def frozen(self, app: App) -> AbstractContextManager[Path]:
        """Give the folder of the repository, in which nothing changes meanwhile; it may be missing.

        Pushes wait for it. For backups.
        """

    def restore(self, app: App, folder: Path) -> None:
        """Make the app's repository from such a folder; nothing if the folder is missing."""

    def destroy(self, app: App) -> None:
        """Remove the repository."""

    def sweep(self) -> None:
        """Remove quarantines whose receiving process is gone; join packs where there are many."""
