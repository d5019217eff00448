"""The seam to git: repositories, and what a push asks of the pipeline."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from paas.model import App
from paas.source import NewFile, Source


@dataclass(frozen=True)
class PushOptions:
    """What `git push -o` may ask for."""

    no_cache: bool = False
    verbose: bool = False
    no_wait: bool = False


@dataclass(frozen=True)
class NoWait:
    """What `git push -o no-wait` is about. `accept` answers the client, before the deploy."""

    branch: str
    commit: str
    accept: Callable[[], None]


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


@dataclass(frozen=True)
class Note:
    """What a commit that paas makes says of itself."""

    author: str
    mail: str
    message: str


@dataclass(frozen=True)
class Remote:
    """A repository on another host, and what opens it."""

    url: str  # https:// or ssh://
    login: tuple[str, str] | None = None  # user and password, for https
    key: str = ""  # the private key for ssh, as OpenSSH writes it
    known_hosts: str = ""  # lines of known_hosts(5); other hosts are refused
    is_trusted: bool = False  # the host's owner vouches for it: it may be inside

    @property
    def host(self) -> str:
        """The name of the host, without user and port."""
        return urlsplit(self.url).hostname or ""


class Sideband(Protocol):
    """Writes to the pusher's terminal; never raises when the pusher is gone."""

    def write(self, text: str) -> None:
        """Send text at once (sideband 2)."""

    def keepalive(self) -> None:
        """Send an empty packet, so that NATs and clients see life."""


class PushHandler(Protocol):
    """What the git room calls back, in this order: arrived, lock, deploy_branch, deploy."""

    def arrived(self) -> None:
        """Take note that the pack is here: from now on the client may go. Not without a pack."""

    def lock(
        self, sideband: Sideband, no_wait: NoWait | None = None
    ) -> AbstractContextManager[None]:
        """Hold the app's lock; may wait. Raises Conflict when a newer push took the place.

        With `no_wait` the client is let go, after accept(), once the push waits or deploys.
        """

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
        """Move the branch that deploys, and HEAD to it: recovery does this from the release row."""

    def offer(
        self, app: App, branch: str, files: Iterable[NewFile], note: Note
    ) -> AbstractContextManager[Push | None]:
        """Make a commit of these files on top of a branch, in quarantine while the block runs.

        keep() and take() admit it. None if the branch holds just these files. Raises SourceRefused.
        """

    def fetch(
        self, app: App, remote: Remote, ref: str | None, branch: str | None
    ) -> AbstractContextManager[Push]:
        """Fetch a branch, tag or commit (None: the remote's HEAD), in quarantine as with offer().

        It is to become `branch`; None: the branch of its own name. Raises InvalidName, NotFound,
        SourceRefused, Unavailable.
        """

    def take(self, app: App, push: Push) -> None:
        """Admit what offer() or fetch() gave, and move its branch, without a deploy."""

    def collect(self, app: App) -> tuple[int, int]:
        """Drop objects that nothing refers to; return the bytes before and after.

        Raises Conflict while a push is on its way in, Unavailable where git is not installed.
        """

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

    def collect_waste(self) -> None:
        """Do collect() where much was pushed and given up, each repository at most once a day."""
