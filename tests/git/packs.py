"""Packs and requests written by hand, as an attacker would (gitformat-pack(5))."""

import hashlib
import zlib

from dulwich.protocol import pkt_line

COMMIT, TREE, BLOB, OFS_DELTA, REF_DELTA = 1, 2, 3, 6, 7
ZERO = "0" * 40


def number(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def head(kind: int, size: int) -> bytes:
    first = kind << 4 | size & 15
    return bytes([first | 0x80]) + number(size >> 4) if size > 15 else bytes([first])


def whole(kind: int, content: bytes, size: int | None = None) -> bytes:
    return head(kind, len(content) if size is None else size) + zlib.compress(content)


def copy_delta(base: int, result: int) -> bytes:
    """A delta that claims `result` bytes and copies the base's start again and again."""
    out = bytearray(number(base) + number(result))
    while result > 0:
        step = min(result, 0xFFFF, base)
        out += bytes([0x80 | 0x10 | 0x20, step & 0xFF, step >> 8])
        result -= step
    return bytes(out)


def ofs_delta(distance: int, delta: bytes) -> bytes:
    out = [distance & 0x7F]
    while distance := distance >> 7:
        distance -= 1
        out.insert(0, 0x80 | distance & 0x7F)
    return head(OFS_DELTA, len(delta)) + bytes(out) + zlib.compress(delta)


def pack(*objects: bytes, count: int | None = None) -> bytes:
    declared = len(objects) if count is None else count
    body = b"PACK" + (2).to_bytes(4, "big") + declared.to_bytes(4, "big") + b"".join(objects)
    return body + hashlib.sha1(body).digest()


def identity(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()


def commit(tree: str, *parents: str) -> bytes:
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    who = "A <a@b> 1700000000 +0000"
    return "\n".join([*lines, f"author {who}", f"committer {who}", "", "raw", ""]).encode()


def tree(*entries: tuple[str, bytes, str]) -> bytes:
    return b"".join(m.encode() + b" " + n + b"\0" + bytes.fromhex(i) for m, n, i in entries)


def request(
    new: str, data: bytes = b"", old: str = ZERO, ref: str = "refs/heads/main", caps: str = ""
) -> bytes:
    """A whole push as it goes over the wire."""
    wanted = caps or "report-status side-band-64k object-format=sha1"
    return pkt_line(f"{old} {new} {ref}\0 {wanted}".encode()) + pkt_line(None) + data
