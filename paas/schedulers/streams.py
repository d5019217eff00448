"""The engine's byte streams: multiplexed frames, and the hijacked connection of attach and exec.

Docker Engine API, "Attach to a container": each frame has 8 bytes of header (stream, 0, 0, 0,
big-endian length). docker-py's own socket helpers drop bytes that arrive together with the HTTP
answer's head, so the upgrade is spoken here.
"""

import json
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, parse_headers
from typing import Any, BinaryIO, Protocol

from paas.engine_api import connect
from paas.errors import EngineUnavailable
from paas.schedulers.base import Streams

HEADER = struct.Struct(">BxxxL")
STDERR = 2
PIECE = 64 * 1024
SWITCHING, OK = 101, 200


class Readable(Protocol):
    """What frames are read from."""

    def read(self, amount: int, /) -> bytes:
        """Return `amount` bytes, fewer only at the end."""


def read_frames(stream: Readable) -> Iterator[tuple[int, bytes]]:
    """Yield (stream number, bytes) until the other side ends."""
    while len(head := stream.read(HEADER.size)) == HEADER.size:
        number, length = HEADER.unpack(head)
        while length:
            piece = stream.read(min(length, PIECE))
            if not piece:
                return
            length -= len(piece)
            yield number, piece


@dataclass(frozen=True)
class Hijacked:
    """A connection that has left HTTP: bytes in, frames out."""

    sock: socket.socket
    output: BinaryIO

    def close(self) -> None:
        """End both directions."""
        self.output.close()
        self.sock.close()

    def carry(self, streams: Streams) -> None:
        """Carry bytes both ways until the other side ends; each direction waits for its reader.

        Raises OSError when nobody reads `stdout` any more.
        """
        if streams.stdin is not None:
            threading.Thread(target=self._send_all_of, args=(streams,), daemon=True).start()
        elif streams.window is None:
            self.sock.shutdown(socket.SHUT_WR)
        if streams.window:
            while piece := self.output.read1(PIECE):  # type: ignore[attr-defined] # makefile("rb") is buffered
                write_all(streams.stdout, piece)
            return
        for number, data in read_frames(self.output):
            write_all(streams.stderr if number == STDERR else streams.stdout, data)

    def _send_all_of(self, streams: Streams) -> None:
        """Copy `stdin` to its end, then close this direction only.

        Not with a terminal, whose end is typed: the engine would close its output too.
        """
        # Signals must interrupt the main thread's system calls, not this thread's.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            while piece := os.read(streams.stdin or 0, PIECE):
                self.sock.sendall(piece)
            if streams.window is None:
                self.sock.shutdown(socket.SHUT_WR)
        except OSError:  # the process ended first and wants no more input
            return


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def hijack(
    engine: str, version: str, path: str, body: Mapping[str, Any], timeout: float
) -> Hijacked:
    """POST with `Upgrade: tcp`; return the raw connection. Raises EngineUnavailable, OSError.

    `timeout` covers connecting and the answer's head; afterwards the connection has none.
    """
    sock = connect(engine, timeout)
    output: BinaryIO = sock.makefile("rb", buffering=PIECE)  # type: ignore[assignment] # typeshed forgets what a buffered one is
    try:
        sock.sendall(_request(f"/v{version}{path}", json.dumps(body).encode()))
        _expect_upgrade(output)
        sock.settimeout(None)
    except BaseException:
        output.close()
        sock.close()
        raise
    return Hijacked(sock, output)


def _request(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _expect_upgrade(output: BinaryIO) -> None:
    words = output.readline(PIECE).split(maxsplit=2)
    status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
    try:
        headers = parse_headers(output)
    except HTTPException as error:
        raise EngineUnavailable("Docker Engine gave no HTTP answer") from error
    if status not in {SWITCHING, OK}:
        length = int(headers.get("Content-Length", 0))
        refusal = output.read(min(length, PIECE)).decode(errors="replace")
        raise EngineUnavailable(f"Docker Engine refused: {refusal}", hint="Run: paas doctor")
