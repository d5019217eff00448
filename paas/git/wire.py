"""The two ends of a git client's line: pkt-lines in, pkt-lines and sideband out."""

import fcntl
import os
import select
import threading
from contextlib import AbstractContextManager, suppress
from typing import BinaryIO

from dulwich.protocol import SIDE_BAND_CHANNEL_PROGRESS, ReceivableProtocol, pkt_line

from paas.alongside import alongside

PATIENCE = 30  # seconds that a client may leave its end of the line full
SILENCE = 600.0  # seconds: a pre-push hook, or packing a large history, takes minutes
ATOM = 4096  # a pipe that can be written to has room for that much (PIPE_BUF, pipe(7))
ROOM = 1024 * 1024  # bytes in a pipe: on a busy host each change of process waits for its turn
PACKET = 65515  # bytes of text in one sideband packet (gitprotocol-common(5))


class Outlet:
    """Writes to the client, whole packets at a time, from any thread."""

    def __init__(self, stdout: BinaryIO) -> None:
        stdout.flush()
        self._descriptor = stdout.fileno()
        self._lock = threading.Lock()
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLOUT)
        self.gone = False

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises BrokenPipeError once the client is gone, or reads no more."""
        with self._lock:
            view = memoryview(data)
            while view:
                view = view[self._send(view[:ATOM]) :]

    def _send(self, piece: memoryview) -> int:
        if not self.gone and self._poll.poll(PATIENCE * 1000):
            with suppress(OSError):
                return os.write(self._descriptor, piece)
        self.gone = True
        raise BrokenPipeError


class Line(ReceivableProtocol):
    """dulwich's protocol over a client's input and an Outlet.

    A client that sends nothing for `silence` seconds has gone: so it ends like one that hung up.
    """

    def __init__(self, stdin: BinaryIO, outlet: Outlet, silence: float = SILENCE) -> None:
        descriptor = stdin.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        with suppress(OSError):  # sshd gives a socket
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, ROOM)

        def receive(size: int) -> bytes:
            return os.read(descriptor, size) if poll.poll(silence * 1000) else b""

        super().__init__(receive, outlet.write)

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes; fewer only at the end of input."""
        return super().read(size) if size else b""


KEEPALIVE = 5.0  # seconds, as git's receive.keepAlive


class Progress:
    """git/base.py's Sideband: text on sideband 2. Silent for clients without it and gone ones."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self.enabled = False

    def write(self, text: str) -> None:
        data = text.encode(errors="replace")
        for start in range(0, len(data), PACKET):
            self._packet(data[start : start + PACKET])

    def keepalive(self) -> None:
        self._packet(b"")

    def alive(self) -> AbstractContextManager[None]:
        """Send keep-alives from a thread, whatever the working thread waits for."""
        return alongside(self._beat)

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(KEEPALIVE):
            self.keepalive()

    def _packet(self, data: bytes) -> None:
        if self.enabled:
            with suppress(BrokenPipeError):
                self._outlet.write(pkt_line(bytes([SIDE_BAND_CHANNEL_PROGRESS]) + data))
