"""One bare repository on disk: made, opened, locked, its refs and its shallow file written.

Layout: `<repos>/<app id>.git`, a bare git repository, with `quarantine/` for packs on their way in
and `paas.lock`, held for the moments in which refs and packs change.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import dulwich.worktree  # noqa: F401 - Repo imports it late: here it is once, not in each fork
from dulwich.object_store import DiskObjectStore
from dulwich.objects import Commit, ObjectID, RawObjectID, ShaFile
from dulwich.refs import DiskRefsContainer, Ref
from dulwich.repo import Repo

from paas.git.few_files import FewFiles
from paas.git.names import BRANCHES

HIDDEN = b"refs/paas/"
DEPLOYS = b"refs/paas/deploys/"
AGAIN_SECONDS = 3600


class Store(FewFiles):
    """An object store that shows commits at the edge of a shallow history without parents."""

    def __init__(
        self, path: Path, shallow: Iterable[bytes] = (), borrow: Path | None = None
    ) -> None:
        super().__init__(path, alternates=[borrow] if borrow else None)
        self.shallow = frozenset(shallow)

    def has(self, commit: str) -> bool:
        """Whether the object (40 hex digits) is there."""
        return ObjectID(commit.encode()) in self

    def lacks_parents(self, commit: str) -> bool:
        """Whether the commit is there and not all of its parents are."""
        found = super().__getitem__(ObjectID(commit.encode())) if self.has(commit) else None
        return isinstance(found, Commit) and not all(parent in self for parent in found.parents)

    def __getitem__(self, sha1: ObjectID | RawObjectID) -> ShaFile:
        found = super().__getitem__(sha1)
        if isinstance(found, Commit) and found.id in self.shallow:
            found._parents = []  # noqa: SLF001 - the setter would give the commit another id
        return found


class Bare(Repo):
    """A repository as clients may see it: without the refs that paas keeps for itself."""

    def __init__(self, path: Path) -> None:
        store = Store(path / "objects", read_shallow(path))
        super().__init__(path, object_store=store, bare=True)
        self.shallow = store.shallow

    def get_refs(self) -> dict[Ref, ObjectID]:
        """Return all refs that can be read, but for the hidden ones."""
        return {ref: at for ref, at in super().get_refs().items() if not ref.startswith(HIDDEN)}


def ensure_repository(path: Path) -> None:
    """Create an empty bare repository unless it is there; two processes may try at once."""
    if (path / "HEAD").exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    fresh.chmod(0o700)
    with closing(Repo.init_bare(fresh, default_branch=b"main", format=0)):
        (fresh / "quarantine").mkdir()
    try:
        fresh.rename(path)
    except OSError:
        shutil.rmtree(fresh)
        if not (path / "HEAD").exists():
            raise


@contextmanager
def exclusive(path: Path) -> Iterator[int]:
    """Hold the repository's lock; the kernel frees it when its holder dies.

    Yield its descriptor: a process that inherits it holds the lock too.
    """
    with open(path / "paas.lock", "ab") as file:  # noqa: PTH123 - flock wants a descriptor
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def read_ref(path: Path, ref: bytes) -> str | None:
    """Return a ref's value in hex, None if there is no such ref."""
    value = DiskRefsContainer(path).read_ref(Ref(ref))
    return value.decode() if value else None


def write_ref(path: Path, ref: bytes, commit: str) -> None:
    """Set a ref durably; hold exclusive(). Raises OSError if a ref's name is another's folder."""
    file = path / os.fsdecode(ref)
    # With the repository's lock in hand nobody else writes: this lock's owner was killed.
    file.with_name(file.name + ".lock").unlink(missing_ok=True)
    DiskRefsContainer(path).set_if_equals(Ref(ref), None, ObjectID(commit.encode()))
    sync_directory(file.parent)


class RefNames:
    """The names of all refs as they are now. Reading them takes 20 ms for a thousand."""

    def __init__(self, path: Path) -> None:
        self._names = frozenset[bytes](DiskRefsContainer(path).allkeys())
        self._below = defaultdict[bytes, set[bytes]](set)
        for name in self._names:
            for folder in _folders(name):
                self._below[folder].add(name)

    def clash(self, ref: bytes, gone: Collection[bytes]) -> str | None:
        """Return a ref that cannot stand beside `ref`: one's name would be the other's folder.

        Those in `gone` are about to be deleted.
        """
        above = self._names.intersection(_folders(ref))
        other = min((above | self._below.get(ref, set())).difference(gone), default=None)
        return other.decode() if other else None


def _folders(ref: bytes) -> Iterator[bytes]:
    """Yield the folders that a ref of this name needs."""
    parts = ref.split(b"/")
    return (b"/".join(parts[:count]) for count in range(1, len(parts)))


def remove_ref(path: Path, ref: bytes) -> None:
    """Remove a ref if it is there; hold exclusive()."""
    file = path / os.fsdecode(ref)
    if file.parent.is_dir():
        file.with_name(file.name + ".lock").unlink(missing_ok=True)
        DiskRefsContainer(path).remove_if_equals(Ref(ref), None)


def move_branch(path: Path, branch: str, commit: str) -> None:
    """Move the branch that deploys, and make it the one that a clone checks out."""
    with exclusive(path):
        write_ref(path, BRANCHES + branch.encode(), commit)
        (path / "HEAD.lock").unlink(missing_ok=True)
        DiskRefsContainer(path).set_symbolic_ref(Ref(b"HEAD"), Ref(BRANCHES + branch.encode()))


def read_shallow(path: Path) -> frozenset[bytes]:
    """Return the commits (hex) whose parents were never sent."""
    with suppress(FileNotFoundError):
        return frozenset((path / "shallow").read_bytes().split())
    return frozenset()


def write_shallow(path: Path, commits: Iterable[bytes]) -> None:
    """Replace the shallow file; none at all means a complete history. Hold exclusive()."""
    lines = b"".join(commit + b"\n" for commit in sorted(commits))
    if not lines:
        (path / "shallow").unlink(missing_ok=True)
        return
    fresh = path / "shallow.new"
    with open(fresh, "wb") as file:  # noqa: PTH123 - fsync wants a descriptor
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path / "shallow")


def ask_again(path: Path, commits: Iterable[str]) -> None:
    """Note that these commits were pushed without history that a shallow push left out before.

    A client leaves out what the values of our refs stand for, and cannot know that we lack it. So
    it is shown no refs at its next try.
    """
    (path / "again").write_text("\n".join(commits))


def stop_asking(path: Path) -> None:
    """Forget what ask_again() noted: a push was taken."""
    (path / "again").unlink(missing_ok=True)


def asked_again(path: Path) -> frozenset[str]:
    """Return the commits that ask_again() noted within the last hour."""
    note = path / "again"
    with suppress(FileNotFoundError):
        if time.time() - note.stat().st_mtime < AGAIN_SECONDS:
            return frozenset(note.read_text().split())
    return frozenset()


def sync_directory(path: Path) -> None:
    """Make renames and links in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_ancestor(store: DiskObjectStore, old: str, new: str) -> bool:
    """Whether `old` is `new` or among its ancestors, as far as the history is there."""
    todo, seen = [new.encode()], {new.encode()}
    while todo:
        commit = todo.pop()
        if commit == old.encode():
            return True
        with suppress(KeyError):
            found = store[ObjectID(commit)]
            fresh = set(found.parents) - seen if isinstance(found, Commit) else set()
            todo += fresh
            seen |= fresh
    return False
