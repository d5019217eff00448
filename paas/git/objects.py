"""Reads commits and trees strictly, and sizes without inflating."""

import mmap
import re
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from dulwich.object_store import DiskObjectStore
from dulwich.objects import RawObjectID
from dulwich.pack import Pack, PackFileDisappeared

from paas.errors import SourceRefused
from paas.git.names import DIRECTORY, FILE_TYPES, is_dangerous
from paas.git.scan import BLOB, COMMIT, ID, MORE, OFS_DELTA, REF_DELTA, TAG, TREE, delta_result

TREE_ENTRY = re.compile(rb"([0-7]{5,6}) ([^\0]*)\0(.{20})", re.DOTALL)
COMMIT_HEAD = re.compile(
    rb"tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)author [^\n]*\ncommitter [^\n]*\n"
)
TAG_HEAD = re.compile(rb"object ([0-9a-f]{40})\ntype ([a-z]+)\ntag ")
TYPES = {b"commit": COMMIT, b"tree": TREE, b"blob": BLOB, b"tag": TAG}
MOST_OPEN = 32  # packs that are mapped at a time
HEAD_WINDOW = 4096  # holds a delta's first bytes, whatever zlib puts before them


@dataclass(frozen=True)
class Commit:
    """What counts of a commit; ids are 20 bytes."""

    tree: bytes
    parents: tuple[bytes, ...]
    subject: str


@dataclass(frozen=True)
class TreeEntry:
    """One line of a tree; `id` is 20 bytes."""

    mode: int
    name: bytes
    id: bytes


class Missing(SourceRefused):
    """An object is named that is not there."""


def read_object(store: DiskObjectStore, identity: bytes) -> tuple[int, bytes]:
    """Return (type, content) of an object named by its 20 bytes. Raises SourceRefused."""
    try:
        return store.get_raw(RawObjectID(identity))
    except KeyError as error:
        raise Missing(f"The object {identity.hex()} is missing") from error


def parse_commit(identity: bytes, kind: int, content: bytes) -> Commit:
    """Return the commit. Raises SourceRefused if the object is none."""
    found = COMMIT_HEAD.match(content) if kind == COMMIT else None
    if not found:
        raise SourceRefused(f"The object {identity.hex()} is not a well-formed commit")
    parents = tuple(bytes.fromhex(line[7:].decode()) for line in found[2].splitlines())
    message = content.partition(b"\n\n")[2].decode(errors="replace").lstrip()
    return Commit(bytes.fromhex(found[1].decode()), parents, message.partition("\n")[0])


def parse_tag(identity: bytes, content: bytes) -> tuple[bytes, int]:
    """Return (id, type) of what a tag object names. Raises SourceRefused."""
    found = TAG_HEAD.match(content)
    if not found or found[2] not in TYPES:
        raise SourceRefused(f"The object {identity.hex()} is not a well-formed tag")
    return bytes.fromhex(found[1].decode()), TYPES[found[2]]


def parse_tree(identity: bytes, kind: int, content: bytes) -> Iterator[TreeEntry]:
    """Yield the entries of a tree. Raises SourceRefused for what git-fsck(1) calls an error.

    One by one: a tree may have a million of them, and the reader may want no more.
    """
    if kind != TREE:
        raise SourceRefused(f"The object {identity.hex()} is not a tree")
    names, last, end = set(), b"", 0
    for found in TREE_ENTRY.finditer(content):
        entry = TreeEntry(int(found[1], 8), found[2], found[3])
        if is_dangerous(entry.name):
            raise SourceRefused(
                f"The tree {identity.hex()} has a file named {printable(entry.name)}"
            )
        if stat.S_IFMT(entry.mode) not in FILE_TYPES:
            raise SourceRefused(f"{printable(entry.name)} is neither file, link nor directory")
        key = entry.name + b"/" if entry.mode == DIRECTORY else entry.name
        if found.start() != end or key <= last or entry.name in names:
            raise SourceRefused(f"The tree {identity.hex()} is not in order")
        yield entry
        names.add(entry.name)
        last, end = key, found.end()
    if end != len(content):
        raise SourceRefused(f"The tree {identity.hex()} is malformed")


def printable(name: bytes) -> str:
    """Return a hostile name in a form that cannot steer a terminal."""
    return ascii(name[:80].decode(errors="replace"))


class Headers:
    """Types and sizes of stored objects, read from the heads of packed ones.

    A listing of 10,000 files would take seconds if each was inflated to learn its length.
    """

    def __init__(self, store: DiskObjectStore) -> None:
        self._store = store
        self._packs = [_PackHeads(pack) for pack in _all_packs(store)]

    def close(self) -> None:
        """Unmap the packs."""
        for pack in self._packs:
            pack.close()

    def type_and_size(self, identity: bytes) -> tuple[int, int]:
        """Return (type, size). Raises SourceRefused if the object is missing."""
        kind, size, _ = self.describe(identity)
        return kind, size

    def describe(self, identity: bytes) -> tuple[int, int, int]:
        """Return (type, size, bytes that must be unpacked to read it). Raises as above.

        A delta of a few bytes may have a chain of large bases.
        """
        for place, pack in enumerate(self._packs):
            try:
                found = pack.describe(identity)
            except (KeyError, FileNotFoundError, PackFileDisappeared):  # packs are joined meanwhile
                continue
            if place:  # the next object is probably here too
                self._packs.insert(0, self._packs.pop(place))
                for unused in self._packs[MOST_OPEN:][:1]:
                    unused.close()
            return found
        kind, content = read_object(self._store, identity)
        return kind, len(content), len(content)


def _all_packs(store: DiskObjectStore) -> Iterator[Pack]:
    yield from store.packs
    for other in store.alternates:
        yield from other.packs


class _PackHeads:
    """The object heads of one pack (gitformat-pack(5))."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._map: mmap.mmap | bytes = b""  # nothing while it is closed
        self._deltas: dict[int, tuple[int, int, int]] = {}  # offset -> as describe()

    def close(self) -> None:
        """Unmap the pack; it is mapped again when it is needed."""
        if isinstance(self._map, mmap.mmap):
            self._map.close()
            self._map = b""

    def describe(self, identity: bytes) -> tuple[int, int, int]:
        """Return what Headers.describe() does. Raises KeyError if the pack has no such object."""
        offset = self._pack.index.object_offset(RawObjectID(identity))
        self._open()
        return self._follow(offset)

    def _open(self) -> None:
        if not self._map:
            with open(self._pack._data_path, "rb") as file:  # noqa: PTH123, SLF001 - mmap wants a descriptor, and .data opens two more
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _follow(self, offset: int) -> tuple[int, int, int]:
        """Follow a delta chain down to the object that has a type, and remember all on the way."""
        way = []
        while (found := self._deltas.get(offset)) is None:
            kind, size, place = self._head(offset)
            if kind not in {OFS_DELTA, REF_DELTA}:
                found = kind, size, size
                break
            base, place = self._base(offset, kind, place)
            way.append((offset, size, place))
            offset = base
        kind, size, work = found
        for delta, length, place in reversed(way):
            start = zlib.decompressobj().decompress(self._map[place : place + HEAD_WINDOW], 20)
            size = delta_result(start)
            work += length + size
            self._deltas[delta] = kind, size, work
        return kind, size, work

    def _head(self, offset: int) -> tuple[int, int, int]:
        """Return (type, size, place behind them) of the object at `offset`."""
        byte = self._map[offset]
        kind, size, shift = byte >> 4 & 7, byte & 15, 4
        while byte & MORE:
            offset += 1
            byte = self._map[offset]
            size |= (byte & 0x7F) << shift
            shift += 7
        return kind, size, offset + 1

    def _base(self, offset: int, kind: int, place: int) -> tuple[int, int]:
        """Return (offset of the delta's base, place of its zlib stream)."""
        if kind == REF_DELTA:
            base = RawObjectID(self._map[place : place + ID])
            return self._pack.index.object_offset(base), place + ID
        byte = self._map[place]
        distance = byte & 0x7F
        while byte & MORE:
            place += 1
            byte = self._map[place]
            distance = (distance + 1) << 7 | (byte & 0x7F)
        return offset - distance, place + 1
