"""Unpacks each object of a stored pack once, in Python, bases before what is made of them.

Where objects begin, and what their bases are, paas/git/scan.py found on their way in. What is held
is an object, the bases that are still needed, and what the index will say: the pack is not mapped.
"""

import hashlib
import os
import zlib
from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import BinaryIO

from dulwich.pack import apply_delta

from paas.errors import SourceRefused
from paas.git.compose import NAMES
from paas.git.scan import ID, MORE, OFS_DELTA, REF_DELTA, TAG, TRAILER, PackStream

KINDS = NAMES | {TAG: b"tag"}


class Unpacker:
    """The objects of a pack that `stream` has passed on into `file`, to be gone through once.

    `find(id)` returns (type, content) of a base that the pack left out, or raises KeyError.
    Afterwards `entries` has (id, offset, CRC-32) of each object, `outside` the ids of those bases.
    """

    def __init__(
        self, file: BinaryIO, stream: PackStream, find: Callable[[bytes], tuple[int, bytes]]
    ) -> None:
        self._descriptor = file.fileno()
        self._stream = stream
        self._find = find
        self._starts = [*stream.depths, stream.size - TRAILER]
        self._by_offset = defaultdict[int, list[int]](list)  # base -> the deltas on it
        self._by_id = defaultdict[bytes, list[int]](list)
        for offset, base in stream.bases.items():
            self._by_offset[base].append(offset)
        for offset, identity in stream.referred:
            self._by_id[identity].append(offset)
        self.entries: list[tuple[bytes, int, int]] = []
        self.outside: list[bytes] = []

    def objects(self) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield (id, type, content). Raises SourceRefused, zlib.error."""
        for offset, depth in self._stream.depths.items():
            if not depth:
                yield from self._chain([(offset, 0, b"")])
        for identity in sorted(self._by_id):
            if identity in self._by_id:  # else its base came out of another chain
                yield from self._outside(identity)
        if len(self.entries) < self._stream.objects:
            raise SourceRefused("The pack is broken: a delta has no base")

    def _outside(self, identity: bytes) -> Iterator[tuple[bytes, int, bytes]]:
        try:
            kind, base = self._find(identity)
        except KeyError:
            return  # perhaps it comes out of another chain
        self.outside.append(identity)
        yield from self._chain([(at, kind, base) for at in self._by_id.pop(identity)])

    def _chain(self, todo: list[tuple[int, int, bytes]]) -> Iterator[tuple[bytes, int, bytes]]:
        """Yield what is at (offset, its base's type, its base), and all that is made of it."""
        while todo:
            offset, kind, base = todo.pop()
            data = os.pread(self._descriptor, self._end(offset) - offset, offset)
            kind, content = _unpack(data, kind, base)
            head = b"%s %d\0" % (KINDS[kind], len(content))
            digest = hashlib.sha1(head, usedforsecurity=False)
            digest.update(content)
            identity = digest.digest()
            self.entries.append((identity, offset, zlib.crc32(data)))
            yield identity, kind, content
            deltas = self._by_offset.pop(offset, []) + self._by_id.pop(identity, [])
            todo += [(delta, kind, content) for delta in deltas]

    def _end(self, offset: int) -> int:
        return self._starts[bisect(self._starts, offset)]


def _unpack(data: bytes, kind: int, base: bytes) -> tuple[int, bytes]:
    """Return (type, content) of one packed object; a delta has the type of its base."""
    place, packed = 1, data[0] >> 4 & 7
    while data[place - 1] & MORE:
        place += 1
    if packed == OFS_DELTA:
        place += 1
        while data[place - 1] & MORE:
            place += 1
    elif packed == REF_DELTA:
        place += ID
    content = zlib.decompress(memoryview(data)[place:])
    if packed in {OFS_DELTA, REF_DELTA}:
        return kind, b"".join(apply_delta(base, content))
    return packed, content
