"""Reads a pack as it streams by and refuses a bomb before anything unpacks it.

The format is that of gitformat-pack(5): a header, objects (each a type, a size, perhaps a delta
base, and a zlib stream), and a SHA-1 over all of it. A pack does not tell its own length: only
inflating finds its end.
"""

import hashlib
import zlib
from collections.abc import Callable
from contextlib import suppress

from paas.errors import SourceRefused
from paas.git.limits import MB, Limits

COMMIT, TREE, BLOB, TAG, OFS_DELTA, REF_DELTA = 1, 2, 3, 4, 6, 7
HEADER, TRAILER, ID = 12, 20, 20
PIECE = 64 * 1024
LOOK = 16 * MB
NUMBER_BYTES = 9  # a number of variable length with more would pass 63 bits
MORE = 0x80  # set in each byte of such a number but the last
LAST_BYTE = b"\x7f"  # the largest one without MORE
WRONG_LENGTH = "The pack is broken: an object is not as long as it says"
SHALLOW_HINT = "Push a shallow clone (git clone --depth 1), or take large files out of the history."
RAISE_HINT = "Or let the host's owner raise {} in paas.toml (docs/settings.md)."


class PackStream:
    """A pack on its way in. Construction reads its header.

    `receive(size)` returns up to `size` bytes, b"" at the end of input. Raises SourceRefused, here
    and in copy(), for what is no pack, breaks a limit or ends too early. `require_room` is called
    every 16 MB, and raises DiskFull when there is no place for more.
    """

    def __init__(
        self,
        receive: Callable[[int], bytes],
        limits: Limits,
        require_room: Callable[[], object] = bool,
    ) -> None:
        self._receive = receive
        self._limits = limits
        self._require_room = require_room
        self._next_look = LOOK  # at the disk
        self._early: list[bytes] = []  # windows that were passed before copy() said where to
        self._write: Callable[[bytes], object] = self._early.append
        self._data, self._at, self._before = b"", 0, 0  # window, place in it, bytes before it
        self._inflated = 0
        self.depths: dict[int, int] = {}  # offset -> length of the delta chain, by offsets
        self.bases: dict[int, int] = {}  # offset of a delta -> offset of its base
        self.referred: list[tuple[int, bytes]] = []  # (offset, base id) of each REF_DELTA
        self._head = self._take(HEADER)
        self.objects = int.from_bytes(self._head[8:], "big")
        if self._head[:4] != b"PACK" or int.from_bytes(self._head[4:8], "big") not in {2, 3}:
            raise SourceRefused("What was sent is not a pack")
        if self.objects > limits.objects:
            raise SourceRefused(
                f"The push brings {self.objects:,} objects; {limits.objects:,} are allowed",
                hint=SHALLOW_HINT,
            )

    @property
    def size(self) -> int:
        """The bytes of the pack that were read so far."""
        return self._before + self._at

    def copy(self, write: Callable[[bytes], object]) -> None:
        """Pass the pack on to `write`; its last piece only when all of it was found harmless."""
        for window in self._early:
            write(window)
        self._write = write
        for _ in range(self.objects):
            self._skip_object()
        trailer = self._take(TRAILER)
        if not self.objects and trailer != hashlib.sha1(self._head).digest():  # noqa: S324 - git's
            raise SourceRefused("The pack's checksum is wrong")
        self._write(self._data[: self._at])

    def check_referred(self, find: Callable[[bytes], int]) -> None:
        """Check the depth of chains that name bases by id, when an index can `find` them.

        `find` returns the offset of an id of 20 bytes and raises KeyError for what it has not.
        """
        for offset, identity in self.referred:
            with suppress(KeyError):
                self.bases[offset] = find(identity)
        depths: dict[int, int] = {}
        for start in self.bases if self.referred else ():
            way, offset = list[int](), start
            while offset in self.bases and offset not in depths:
                way.append(offset)
                self._check_depth(len(way))
                offset = self.bases[offset]
            for depth, passed in enumerate(reversed(way), start=depths.get(offset, 0) + 1):
                depths[passed] = depth
                self._check_depth(depth)

    def _skip_object(self) -> None:
        """Read one object to its end."""
        offset = self._before + self._at
        byte = self._byte()
        kind = byte >> 4 & 7
        size = byte & 15
        if byte & MORE:
            size |= self._number() << 4
        self._check_size(size)
        if kind == OFS_DELTA:
            self._deepen(offset, offset - self._distance())
        elif kind == REF_DELTA:
            self.referred.append((offset, self._take(ID)))
            self.depths[offset] = 1
        elif kind in {COMMIT, TREE, BLOB, TAG}:
            self.depths[offset] = 0
        else:
            raise SourceRefused("The pack is broken: an object of an unknown type")
        if kind in {OFS_DELTA, REF_DELTA}:
            self._check_size(delta_result(self._inflate(size, keep=2 * NUMBER_BYTES)))
        else:
            self._inflate(size)

    def _check_size(self, size: int) -> None:
        """Refuse a declared size before anything of it is inflated."""
        if size > self._limits.object_size:
            raise SourceRefused(
                f"A file in the history has {size // MB:,} MB; "
                f"{self._limits.object_size // MB:,} MB are allowed",
                hint=SHALLOW_HINT,
            )
        self._inflated += size
        if self._inflated > self._limits.inflated:
            raise SourceRefused(
                f"The history unpacks to more than {self._limits.inflated // MB:,} MB",
                hint=f"{SHALLOW_HINT} {RAISE_HINT.format('max_unpacked')}",
            )

    def _deepen(self, offset: int, base: int) -> None:
        if base not in self.depths:
            raise SourceRefused("The pack is broken: a delta has no base")
        self.bases[offset] = base
        self.depths[offset] = self.depths[base] + 1
        self._check_depth(self.depths[offset])

    def _check_depth(self, depth: int) -> None:
        if depth > self._limits.delta_depth:
            raise SourceRefused(
                f"The pack has a chain of more than {self._limits.delta_depth} deltas",
                hint="Repack with: git repack -adf --depth=50",
            )

    def _inflate(self, size: int, keep: int = 0) -> bytes:
        """Skip a zlib stream that must inflate to `size` bytes; return its first `keep` ones."""
        engine = zlib.decompressobj()
        kept, total = b"", 0
        # Small windows for small objects: zlib copies whatever it was given and did not need.
        window = min(PIECE, size + (size >> 9) + 32)
        while not engine.eof:
            if self._at == len(self._data):
                self._refill()
            piece = self._data[self._at : self._at + window]
            rest = piece
            while rest and not engine.eof:
                out = self._decompress(engine, rest, size)
                total += len(out)
                if total > size:
                    raise SourceRefused(WRONG_LENGTH)
                if len(kept) < keep:
                    kept += out[: keep - len(kept)]
                rest = engine.unconsumed_tail
            self._at += len(piece) - len(engine.unused_data)
            window = PIECE
        if total != size:
            raise SourceRefused(WRONG_LENGTH)
        return kept

    def _decompress(self, engine: "zlib._Decompress", piece: bytes, size: int) -> bytes:
        try:
            return engine.decompress(piece, min(size + 1, PIECE))
        except zlib.error as error:
            raise SourceRefused("The pack is broken: an object does not inflate") from error

    def _number(self) -> int:
        """Read a number of variable length, least significant bits first."""
        number = 0
        for shift in range(0, 7 * NUMBER_BYTES, 7):
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if not byte & MORE:
                return number
        raise SourceRefused("The pack is broken: a number does not end")

    def _distance(self) -> int:
        """Read an OFS_DELTA's distance: most significant bits first, each step adding one."""
        byte = self._byte()
        number = byte & 0x7F
        for _ in range(NUMBER_BYTES):
            if not byte & MORE:
                return number
            byte = self._byte()
            number = (number + 1) << 7 | (byte & 0x7F)
        raise SourceRefused("The pack is broken: a number does not end")

    def _byte(self) -> int:
        if self._at == len(self._data):
            self._refill()
        self._at += 1
        return self._data[self._at - 1]

    def _take(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count:
            if self._at == len(self._data):
                self._refill()
            piece = self._data[self._at : self._at + count - len(taken)]
            self._at += len(piece)
            taken += piece
        return taken

    def _refill(self) -> None:
        """Pass the window on, for all of it was looked at, and receive the next one."""
        if self._data:
            self._write(self._data)
        self._before += len(self._data)
        if self._before >= self._next_look:
            self._next_look = self._before + LOOK
            self._require_room()
        self._data, self._at = self._receive(PIECE), 0
        if not self._data:
            raise SourceRefused("The connection ended in the middle of the pack")
        if self._before + len(self._data) > self._limits.pack + PIECE:
            raise SourceRefused(
                f"The pack is larger than {self._limits.pack // MB:,} MB",
                hint=f"{SHALLOW_HINT} {RAISE_HINT.format('max_pack')}",
            )


def delta_result(start: bytes) -> int:
    """Return the size that a delta makes, from its first bytes: base size, then result size."""
    place = 0
    while start[place : place + 1] > LAST_BYTE:
        place += 1
    number = shift = 0
    for byte in start[place + 1 :]:
        number |= (byte & 0x7F) << shift
        if byte < MORE:
            return number
        shift += 7
    raise SourceRefused("The pack is broken: a delta without sizes")
