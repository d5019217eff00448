"""The two ends of a git client's line: pkt-lines in, pkt-lines and sideband out."""

import fcntl
import os
import select
import threading
import time
from contextlib import AbstractContextManager, suppress
from typing import BinaryIO

from dulwich.protocol import SIDE_BAND_CHANNEL_PROGRESS, ReceivableProtocol, pkt_line

from paas.alongside import alongside
from paas.errors import SourceRefused
from paas.git.limits import KB, MB, Limits
from paas.git.scan import SHALLOW_HINT

PATIENCE = 30  # seconds that a client may leave its end of the line full
USUAL = Limits()
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


class Inlet:
    """Reads from the client, and keeps count of how long it lets us wait."""

    def __init__(self, stdin: BinaryIO, limits: Limits) -> None:
        self._descriptor = stdin.fileno()
        self._limits = limits
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._waited, self._taken = 0.0, 0  # seconds, bytes
        with suppress(OSError):  # sshd gives a socket
            fcntl.fcntl(self._descriptor, fcntl.F_SETPIPE_SZ, ROOM)

    def read(self, size: int) -> bytes:
        """Return what has come; nothing at the end of input, and from one that has fallen silent.

        Raises SourceRefused for one that goes on, but so slowly that it would hold us for days.
        """
        left = self._limits.grace + self._taken / self._limits.rate - self._waited
        start = time.monotonic()
        is_there = left > 0 and self._poll.poll(min(left, self._limits.silence) * 1000)
        self._waited += time.monotonic() - start
        if not is_there:
            if left < self._limits.silence:
                raise self._too_slow()
            return b""
        data = os.read(self._descriptor, size)
        self._taken += len(data)
        return data

    def _too_slow(self) -> SourceRefused:
        limits = self._limits
        return SourceRefused(
            f"It comes too slowly: {self._taken / MB:.1f} MB in {self._waited / 60:.0f} minutes",
            hint=f"paas waits {limits.grace / 60:.0f} minutes, and a second more for each "
            f"{limits.rate // KB} KB. {SHALLOW_HINT}",
        )


class Line(ReceivableProtocol):
    """dulwich's protocol over a client's input and an Outlet.

    A client that is silent for too long has gone: so it ends like one that hung up.
    """

    def __init__(self, stdin: BinaryIO, outlet: Outlet, limits: Limits = USUAL) -> None:
        super().__init__(Inlet(stdin, limits).read, outlet.write)

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
