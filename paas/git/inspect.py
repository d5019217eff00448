"""Inspects the tree of a commit before anything is made of it (git's fsck, and what it lacks)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dulwich.object_store import DiskObjectStore

from paas.errors import SourceRefused
from paas.git.limits import MB, Limits
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

LINK_BYTES = 4096  # PATH_MAX of Linux
LINK_HOPS = 40  # as Linux allows before ELOOP


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
    for path in links:
        if resolve(links, path) is None:
            raise SourceRefused(
                f"The symbolic link {printable(path.encode())} leads out of the repository",
                hint="Make it point to a file inside the repository, by a relative path.",
            )
    return Inspected(commit, files, links, tuple(walk.submodules))


class _Walk:
    """One walk down a tree, counting as it goes: a few objects can name 10^10 files."""

    def __init__(self, store: DiskObjectStore, limits: Limits) -> None:
        self._store = store
        self._limits = limits
        self._headers = Headers(store)
        self._count = self._directories = self._bytes = 0
        self.submodules: list[str] = []

    def close(self) -> None:
        self._headers.close()

    def files(self, tree: bytes, path: str = "", depth: int = 0) -> Iterator[File]:
        """Yield the files below a tree in path order."""
        self._directories += 1
        if depth > self._limits.tree_depth or self._directories > self._limits.files:
            raise _too_large(
                f"has directories more than {self._limits.tree_depth} deep"
                if depth > self._limits.tree_depth
                else f"has more than {self._limits.files:,} directories"
            )
        for entry in parse_tree(tree, *read_object(self._store, tree)):
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

    def _file(self, path: str, entry: TreeEntry) -> File:
        kind, size = self._headers.type_and_size(entry.id)
        if kind != BLOB:
            raise SourceRefused(f"The object {entry.id.hex()} is not a file's content")
        self._count += 1
        self._bytes += size
        if self._count > self._limits.files:
            raise _too_large(f"has more than {self._limits.files:,} files")
        if self._bytes > self._limits.tree_size:
            raise _too_large(f"has more than {self._limits.tree_size // MB:,} MB")
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


def resolve(links: Mapping[str, str], path: str) -> str | None:
    """Return where `path` leads inside the tree, following links as Linux does; None if outside.

    A link whose chain does not end leads to itself: nothing is there, and nothing is outside.
    """
    todo, hops = path.split("/")[::-1], 0
    done: list[str] = []
    while todo:
        part = todo.pop()
        if part == "..":
            if not done:
                return None
            done.pop()
        elif part not in {"", "."}:
            done.append(part)
            target = links.get("/".join(done))
            if target is not None:
                hops += 1
                if hops > LINK_HOPS:
                    return path
                if target.startswith("/"):
                    return None
                done.pop()
                todo += target.split("/")[::-1]
    return "/".join(done)
