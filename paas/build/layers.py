"""The layers in a saved image: how much they write to the disk is known before the engine does.

The engine unpacks what it is sent without a limit: some kilobytes can be terabytes of zeros,
compressed or as a hole in a file.
"""

import gzip
import tarfile
import zlib
from typing import IO, BinaryIO, cast

from paas.errors import SourceRefused

GZIP = b"\x1f\x8b"
MAGIC = (GZIP, b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # all that the engine unpacks by itself
SKIPPED = b"\x2a\x4d\x18"  # behind the first byte: a zstd frame that is skipped
BLOCK, PIECE = 512, 1 << 20
MOST_FILES = 500_000  # of a layer: the disk's inodes can run out too
HINT = "Load the image into an engine of your own, and save it again"


def inflate(layer: IO[bytes], into: BinaryIO, most: int) -> None:
    """Write a layer's tar, without gzip around it, to `into`. Raises SourceRefused."""
    is_zipped = layer.read(2) == GZIP
    layer.seek(0)
    source = cast("IO[bytes]", gzip.GzipFile(fileobj=layer)) if is_zipped else layer
    left = most
    try:
        while piece := source.read(min(PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                raise too_large(most)
            into.write(piece)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SourceRefused(f"A layer of the image is broken: {error}", hint=HINT) from error
    into.seek(0)
    head = into.read(6)
    into.seek(0)
    if head.startswith(MAGIC) or head[1:4] == SKIPPED:
        raise SourceRefused("A layer of the image is compressed in another way", hint=HINT)


def weigh(layer: BinaryIO, most: int) -> int:
    """Return the bytes of the files in a layer's tar. Raises SourceRefused, tarfile's errors."""
    weight = count = 0
    with tarfile.open(fileobj=layer, mode="r:") as tar:
        while member := tar.next():
            tar.members.clear()  # type: ignore[attr-defined] # it would keep them all
            weight, count = weight + (member.size if member.isreg() else 0), count + 1
            if member.issparse() or weight > most or count > MOST_FILES:
                raise too_large(most)
        layer.seek(tar.offset)
        if any(layer.read(BLOCK)):  # another reader may find more behind it
            raise SourceRefused("A layer of the image is broken", hint=HINT)
    layer.seek(0)
    return weight


def too_large(most: int) -> SourceRefused:
    """Return the refusal of an image that is larger than `most` bytes."""
    return SourceRefused(
        f"The image has more than the {most / 1e9:.1f} GB that an app may have",
        hint="Put less into it, or build it here: git push",
    )
