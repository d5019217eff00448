"""Makes a pack of plain files: blobs, trees and one commit, as gitformat-pack(5) has them.

What it makes goes through the same checks as what a client pushes, so nothing is judged here.
"""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import BinaryIO

from paas.errors import SourceRefused
from paas.git.names import DIRECTORY
from paas.git.scan import BLOB, COMMIT, TREE
from paas.source import NewFile

NAMES = {BLOB: b"blob", TREE: b"tree", COMMIT: b"commit"}
PIECE = 1 << 20


@dataclass(frozen=True)
class Made:
    """The ids (hex) of the commit and of its tree, and how many files it has."""

    commit: str
    tree: str
    files: int


@dataclass
class _Folder:
    """A tree to be: {name: (mode, id)} of its files, and the folders in it."""

    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    folders: dict[str, "_Folder"] = field(default_factory=dict)


class _Pack:
    """A pack that is written object by object; each object once."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._known: set[bytes] = set()
        file.write(b"PACK" + (2).to_bytes(4, "big") + bytes(4))

    def add(self, kind: int, content: bytes) -> bytes:
        """Write an object, unless it is there; return its id."""
        head = b"%s %d\0" % (NAMES[kind], len(content))
        identity = hashlib.sha1(head + content, usedforsecurity=False).digest()
        if identity not in self._known:
            self._known.add(identity)
            self._file.write(_object_head(kind, len(content)) + zlib.compress(content, 1))
        return identity

    def finish(self) -> None:
        """Write the count into the head, and the checksum behind all."""
        self._file.seek(8)
        self._file.write(len(self._known).to_bytes(4, "big"))
        self._file.seek(0)
        digest = hashlib.sha1(usedforsecurity=False)
        while piece := self._file.read(PIECE):
            digest.update(piece)
        self._file.write(digest.digest())
        self._file.flush()


def write_pack(
    file: BinaryIO, files: Iterable[NewFile], parent: str | None, who: bytes, message: str
) -> Made:
    """Write a commit of these files, and all it needs, as one pack. Raises SourceRefused.

    `who` is `Name <mail> seconds +0000`. A path that comes twice has the later content.
    """
    pack, root = _Pack(file), _Folder()
    for each in files:
        _put(root, each.path.split("/"), each.mode, pack.add(BLOB, each.content))
    tree = _write_tree(pack, root)
    lines = [b"tree %s" % tree.hex().encode()]
    lines += [b"parent %s" % parent.encode()] if parent else []
    lines += [b"author " + who, b"committer " + who, b"", message.encode() + b"\n"]
    commit = pack.add(COMMIT, b"\n".join(lines))
    pack.finish()
    return Made(commit.hex(), tree.hex(), _count(root))


def _put(root: _Folder, path: list[str], mode: int, identity: bytes) -> None:
    *above, name = path
    folder = root
    for part in above:
        folder = folder.folders.setdefault(part, _Folder())
    folder.files[name] = mode, identity


def _write_tree(pack: _Pack, folder: _Folder) -> bytes:
    """Write a tree with all below it. git sorts folders as if a slash ended their names."""
    if both := folder.files.keys() & folder.folders.keys():
        raise SourceRefused(f"{min(both)!r} is a file and a folder at once")
    entries = [(name, mode, identity) for name, (mode, identity) in folder.files.items()]
    entries += [(n, DIRECTORY, _write_tree(pack, below)) for n, below in folder.folders.items()]
    entries.sort(key=lambda e: e[0].encode() + (b"/" if e[1] == DIRECTORY else b""))
    lines = (b"%o %s\0%s" % (mode, name.encode(), identity) for name, mode, identity in entries)
    return pack.add(TREE, b"".join(lines))


def _count(folder: _Folder) -> int:
    return len(folder.files) + sum(map(_count, folder.folders.values()))


def _object_head(kind: int, size: int) -> bytes:
    """Return type and size: four bits of the size in the first byte, seven in each further one."""
    first, size = kind << 4 | size & 15, size >> 4
    found = bytearray()
    while size:
        found.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    return bytes([*found, first])
