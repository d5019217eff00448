"""The Request, and the daemon's side of its passing over a unix socket. Standard library only."""

import array
import os
import socket
import struct
from dataclasses import dataclass
from typing import Any

from paas.doors import wire

ARGV_BYTES = 8 * 1024
READ_TIMEOUT = 10.0  # seconds a door may take to hand over
DOORS = ("local", "ssh", "openssh")
ENVIRON = frozenset({"NO_COLOR", "FORCE_COLOR", "LANG", "GIT_PROTOCOL"})
DESCRIPTORS = 3  # stdin, stdout, stderr
TYPES: dict[str, Any] = {
    "door": str,
    "fingerprint": str | None,
    "tty": bool,
    "term": str,
    "rows": int,
    "columns": int,
}
SIZE_LIMIT = 10_000  # rows or columns


@dataclass(frozen=True)
class Request:
    """What a door hands over: who knocks (a fingerprint, never an actor) and what was typed.

    Raises ValueError for what no honest door sends.
    """

    door: str  # "local", "ssh" or "openssh"
    argv: tuple[str, ...]
    fingerprint: str | None = None  # SHA256:...; None from the local door
    tty: bool = False
    term: str = ""
    rows: int = 24
    columns: int = 80
    environ: tuple[tuple[str, str], ...] = ()  # NO_COLOR, LANG, ...: a short list of allowed names

    def __post_init__(self) -> None:
        if self.door not in DOORS:
            raise ValueError(f"there is no {self.door!r} door")
        check_argv(self.argv)
        if not (0 < self.rows < SIZE_LIMIT and 0 < self.columns < SIZE_LIMIT):
            raise ValueError("the terminal's size is out of range")
        if len(self.term) > 64 or not all(name in ENVIRON for name, _ in self.environ):  # noqa: PLR2004 - longer than any terminfo name
            raise ValueError("the environment is not on the list")
        if not all(value.isprintable() for value in (self.term, *(v for _, v in self.environ))):
            raise ValueError("the environment is not printable")  # NUL, say: no process can have it


def check_argv(argv: tuple[str, ...]) -> None:
    """Raise ValueError for NUL, for bytes that are no UTF-8, and for more than 8 KiB."""
    try:
        size = len("\0".join(argv).encode())
    except UnicodeEncodeError:
        raise ValueError("the command is not UTF-8") from None
    if size > ARGV_BYTES:
        raise ValueError("the command is longer than 8 KiB")
    if any("\0" in word for word in argv):
        raise ValueError("the command holds a NUL")


def parse_request(message: wire.Message) -> Request:
    """Return the Request of a first line. Raises ValueError for anything unexpected."""
    fields: dict[str, Any] = dict(message)
    for name, kind in TYPES.items():
        if name in fields and not isinstance(fields[name], kind):
            raise ValueError(f"{name} is of the wrong type")
    argv, environ = fields.pop("argv", None), fields.pop("environ", [])
    if not isinstance(argv, list):
        raise ValueError("argv is no list")  # noqa: TRY004 - one error for all that is wrong
    try:
        pairs = tuple((str(name), str(value)[:256]) for name, value in environ)
        return Request(argv=tuple(map(_text, argv)), environ=pairs, **fields)
    except TypeError as error:
        raise ValueError(f"the request is malformed: {error}") from error


def _text(word: object) -> str:
    if not isinstance(word, str):
        raise ValueError("a word of the command is not text")  # noqa: TRY004 - one error for all that is wrong
    return word


def receive(connection: socket.socket) -> tuple[Request, list[int], bytes]:
    """Read the request: return it, its three descriptors, and what came behind it.

    Raises ValueError for a malformed one, OSError (TimeoutError after 10 s of silence). No
    descriptor stays open when it raises.
    """
    connection.settimeout(READ_TIMEOUT)
    line, descriptors = _receive_start(connection)
    try:
        line, rest = _complete(connection, line)
        request = parse_request(wire.parse(line))
        check_count(descriptors)
    except BaseException:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    connection.settimeout(None)
    return request, descriptors, rest


def _receive_start(connection: socket.socket) -> tuple[bytes, list[int]]:
    """Return the first bytes and all descriptors that came with them, close-on-exec."""
    room = socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)
    data, ancillary, _, _ = connection.recvmsg(wire.LINE_BYTES, room, socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, payload in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
    return data, descriptors.tolist()


def _complete(connection: socket.socket, line: bytes) -> tuple[bytes, bytes]:
    """Return the whole first line, and what came behind it."""
    while b"\n" not in line:
        if len(line) > wire.LINE_BYTES or not (received := connection.recv(wire.LINE_BYTES)):
            raise ValueError("the request ends early or is too long")
        line += received
    line, _, rest = line.partition(b"\n")
    return line, rest


def check_count(descriptors: list[int]) -> None:
    """Raise ValueError unless there are stdin, stdout and stderr."""
    if len(descriptors) != DESCRIPTORS:
        raise ValueError("a request comes with three descriptors")


def peer_uid(connection: socket.socket) -> int:
    """Return who is at the other end, as the kernel saw it at connect() (SO_PEERCRED, unix(7))."""
    credentials = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
    )
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)
