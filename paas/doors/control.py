"""The daemon's side of the control channel: window size, signals and hang-up in, exit status out.

Standard library only. A thread reads; whatever it learns reaches the command in its main thread.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from types import FrameType

from paas.doors import wire
from paas.doors.request import SIZE_LIMIT

AGAIN = 0.05  # seconds after which a signal that was not noticed is sent again
Resize = Callable[[int, int], None]


class Interrupted(KeyboardInterrupt):
    """The client sent a signal or hung up; `signum` says which (SIGHUP for a hang-up)."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.signum = signum


class Control:
    """What a running command can learn about its client.

    Without a connection (a command that paas itself runs) nothing ever happens. A signal of the
    client, or its hang-up, raises Interrupted in the main thread, unless the command outlives it.
    A hang-up does so once, though the kernel, the door and the channel's end may all tell of it:
    what the command does at its end is not interrupted again.
    """

    def __init__(
        self, connection: socket.socket | None = None, *, rows: int = 24, columns: int = 80
    ) -> None:
        self.size = (rows, columns)
        self.hung_up = threading.Event()
        self._connection = connection
        self._outlives = False
        self._was_hung_up = False
        self._is_noticed = False
        self._callbacks: list[Resize] = []

    def outlive_client(self) -> None:
        """From now on the client's signals and its hang-up change nothing; SIGTERM still does."""
        self._outlives = True

    def let_go(self) -> None:
        """Answer the client with success and give back its streams; the command goes on alone."""
        self.outlive_client()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.close(nothing)
        self.finish(0)
        self._connection = None

    def on_resize(self, callback: Resize) -> None:
        """Call `callback(rows, columns)`, from the reading thread, when the window changes."""
        self._callbacks.append(callback)

    def start(self, pending: bytes = b"") -> None:
        """Take over the signals and read the channel. Call it from the main thread, once."""
        for name in wire.SIGNALS:
            signal.signal(getattr(signal, f"SIG{name}"), self._interrupt)
        threading.Thread(target=self._read, args=(pending,), daemon=True).start()

    def finish(self, status: int, say: str = "") -> None:
        """Send the exit status; a door that is gone is no error."""
        message: wire.Message = {"exit": status, "say": say} if say else {"exit": status}
        if self._connection:
            with contextlib.suppress(OSError):
                wire.send(self._connection, message)

    def _interrupt(self, signum: int, _frame: FrameType | None) -> None:
        self._is_noticed = True
        if self._outlives and signum != signal.SIGTERM:
            return
        if signum == signal.SIGHUP:
            if self._was_hung_up:
                return
            self._was_hung_up = True
        raise Interrupted(signum)

    def _read(self, pending: bytes) -> None:
        # Signals must interrupt the main thread's system calls, not this thread's.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        if self._connection:
            with contextlib.suppress(OSError, ValueError):
                for message in wire.messages(self._connection, pending):
                    self._take(message)
            self.hung_up.set()
            self._deliver("HUP")

    def _take(self, message: wire.Message) -> None:
        match message:
            case {"size": [int(rows), int(columns)]} if (
                0 < rows < SIZE_LIMIT and 0 < columns < SIZE_LIMIT
            ):
                self.size = (rows, columns)
                for callback in self._callbacks:
                    callback(rows, columns)
            case {"signal": str(name)} if name in wire.SIGNALS:
                self._deliver(name)

    def _deliver(self, name: str) -> None:
        """Signal the main thread until it notices, or takes no such signal at present.

        One that comes just before the thread blocks in a call is noted, but does not end the call.
        """
        main, number = threading.main_thread().ident, getattr(signal, f"SIG{name}")
        self._is_noticed = False  # no lock: a handler that waits for one may wait for itself
        while main and not (self._is_noticed or self._outlives):
            if signal.getsignal(number) != self._interrupt:
                return
            signal.pthread_kill(main, number)
            time.sleep(AGAIN)
