"""Inspects the tree of a commit before anything is made of it (git's fsck, and what it lacks)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from dulwich.object_store import DiskObjectStore

from paas.errors import SourceRefused
from paas.git.limits import MB, Limits
from paas.git.links import LINK_BYTES, check_links
from paas.git.names import DIRECTORY, LINK, MODES, SUBMODULE, name_fault
from paas.git.objects import (
    Commit,
    Headers,
    TreeEntry,
    parse_commit,
    parse_tree,
    printable,
    read_object,
)
from paas.git.scan import BLOB

LINKS_BYTES = 16 * MB  # of all targets together: they are held in memory


@dataclass(frozen=True)
class File:
    """A file of an inspected tree; `id` is 20 bytes."""

    path: str
    mode: int
    size: int
    id: bytes


@dataclass(frozen=True)
class Inspected:
    """A commit whose whole tree was found harmless."""

    commit: Commit
    files: Mapping[str, File]  # in path order
    links: Mapping[str, str]  # path -> target, of symbolic links
    submodules: tuple[str, ...]  # paths; they are left empty


def inspect_commit(store: DiskObjectStore, identity: bytes, limits: Limits) -> Inspected:
    """Read a commit (20 bytes) and walk its tree.

    Raises SourceRefused for a missing object, a hostile name or mode, a link that leaves the tree,
    and a tree beyond the limits.
    """
    commit = parse_commit(identity, *read_object(store, identity))
    walk = _Walk(store, limits)
    try:
        files = {file.path: file for file in walk.files(commit.tree)}
    finally:
        walk.close()
    links = {path: _target(store, file) for path, file in files.items() if file.mode == LINK}
    check_links(links, limits)
    return Inspected(commit, files, links, tuple(walk.submodules))


class _Walk:
    """One walk down a tree, counting as it goes: a few objects can name 10^10 files."""

    def __init__(self, store: DiskObjectStore, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._headers = Headers(store)
        self._count = self._directories = self._bytes = self._link_bytes = self._work = 0
        self.submodules: list[str] = []

    def close(self) -> None:
        self._headers.close()

    def files(self, tree: bytes, path: str = "", depth: int = 0) -> Iterator[File]:
        """Yield the files below a tree in path order."""
        if depth > self._limits.tree_depth:
            raise _too_large(f"has directories more than {self._limits.tree_depth} deep")
        for entry in self._entries(tree):
            _check_entry(entry)
            here = path + entry.name.decode()
            if len(here.encode()) > self._limits.path:
                raise _too_large(f"has a path of more than {self._limits.path:,} bytes")
            if entry.mode == DIRECTORY:
                yield from self.files(entry.id, here + "/", depth + 1)
            elif entry.mode == SUBMODULE:
                self.submodules.append(here)
            else:
                yield self._file(here, entry)

    def _entries(self, tree: bytes) -> list[TreeEntry]:
        """Return what a tree names, counted at once: the trees above are held in memory too."""
        self._describe(tree)
        most = self._limits.files
        entries = list(islice(parse_tree(tree, *read_object(self._store, tree)), 2 * most + 1))
        directories = sum(entry.mode == DIRECTORY for entry in entries)
        self._directories += directories
        self._count += len(entries) - directories
        if self._directories > most:
            raise _too_large(f"has more than {most:,} directories")
        if self._count > most:
            raise _too_large(f"has more than {most:,} files and submodules")
        return entries

    def _describe(self, identity: bytes) -> tuple[int, int]:
        """Return (type, size) of an object that is to be read, now or when it is deployed."""
        kind, size, work = self._headers.describe(identity)
        self._work += work
        if self._work > self._limits.reading:
            raise SourceRefused(
                f"The tree takes more than {self._limits.reading // MB:,} MB of unpacking",
                hint="Repack with: git repack -adf --depth=50",
            )
        return kind, size

    def _file(self, path: str, entry: TreeEntry) -> File:
        kind, size = self._describe(entry.id)
        if kind != BLOB:
            raise SourceRefused(f"The object {entry.id.hex()} is not a file's content")
        self._bytes += size
        self._link_bytes += size if entry.mode == LINK else 0
        if self._bytes > self._limits.tree_size:
            raise _too_large(f"has more than {self._limits.tree_size // MB:,} MB")
        if self._link_bytes > LINKS_BYTES:
            raise _too_large(f"has symbolic links of more than {LINKS_BYTES // MB} MB")
        return File(path, entry.mode, size, entry.id)


def _check_entry(entry: TreeEntry) -> None:
    """Be stricter with what is deployed than with what merely stands in a history."""
    fault = name_fault(entry.name)
    if fault:
        raise SourceRefused(f"The file name {printable(entry.name)} {fault}")
    if entry.mode not in MODES:
        raise SourceRefused(f"The file {printable(entry.name)} has the mode {entry.mode:o}")


def _too_large(what: str) -> SourceRefused:
    return SourceRefused(
        f"The tree {what}",
        hint="Take generated files and dependencies out of the repository (.gitignore).",
    )


def _target(store: DiskObjectStore, link: File) -> str:
    if link.size > LINK_BYTES:
        raise SourceRefused(f"The symbolic link {printable(link.path.encode())} is too long")
    try:
        target = read_object(store, link.id)[1].decode()
    except UnicodeDecodeError:
        target = "\0"
    if "\0" in target or not target:
        raise SourceRefused(
            f"The symbolic link {printable(link.path.encode())} has no valid target"
        )
    return target
