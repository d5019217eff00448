"""What the layers of an image that a user sends may unpack to."""

import bz2
import gzip
import io
import tarfile

import pytest

from paas.build.layers import inflate, weigh
from paas.errors import SourceRefused

MOST = 1_000_000


def tar(*files: tuple[str, int]) -> bytes:
    """Return a tar of files with so many zeros."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as out:
        for name, size in files:
            head = tarfile.TarInfo(name)
            head.size = size
            out.addfile(head, io.BytesIO(bytes(size)))
    return made.getvalue()


def sparse(size: int) -> bytes:
    """Return an old GNU tar with a file that is one hole (tar(5))."""
    head = tarfile.TarInfo("hole")
    block = bytearray(head.tobuf(tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    block[483:495] = b"%011o\0" % size
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


def weight(layer: bytes) -> tuple[bytes, int]:
    """Return what is passed on to the engine, and what it weighs."""
    into = io.BytesIO()
    inflate(io.BytesIO(layer), into, MOST)
    found = weigh(into, MOST)
    return into.getvalue(), found


def test_a_layer_is_passed_on_without_gzip() -> None:
    plain = tar(("a", 10), ("b", 500))
    assert weight(plain) == (plain, 510)
    assert weight(gzip.compress(plain)) == (plain, 510)
    assert weight(bytes(1024)) == (bytes(1024), 0)


@pytest.mark.parametrize(
    "layer",
    [
        gzip.compress(tar(("a", MOST + 1))),
        gzip.compress(tar(("a", 10)))[:-20],
        sparse(MOST + 1),
        sparse(10),
        bz2.compress(tar(("a", 10))),
        gzip.compress(gzip.compress(tar(("a", 10)))),
        b"\xfd7zXZ\0" + bytes(2000),
        b"\x28\xb5\x2f\xfd" + bytes(2000),
        b"\x52\x2a\x4d\x18" + bytes(2000),
        tar(("a", 10))[:1024] + b"x" * 512 + sparse(10**12),
    ],
)
def test_what_unpacks_to_more_or_to_who_knows_what_is_refused(layer: bytes) -> None:
    with pytest.raises(SourceRefused):
        weight(layer)
