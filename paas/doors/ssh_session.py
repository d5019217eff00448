"""One ssh session channel: a command's bytes go between the channel and the daemon's child.

Knows nothing of ssh but the few methods of Channel below. The session's thread carries output and
the control channel, a second one carries input, so that both directions wait for their reader.
"""

import contextlib
import fcntl
import logging
import os
import select
import shlex
import socket
import struct
import termios
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from paas.doors import wire

CHUNK = 64 * 1024
PIPE_BYTES = 256 * 1024  # of our share of /proc/sys/fs/pipe-user-pages-soft
NO_SHELL, USAGE, UNAVAILABLE = 1, 2, 75

log = logging.getLogger("paas")


Send = Callable[[bytes], None]


class Channel(Protocol):
    """What a session uses of paramiko.Channel."""

    def recv(self, nbytes: int, /) -> bytes: ...
    def sendall(self, s: bytes, /) -> None: ...
    def sendall_stderr(self, s: bytes, /) -> None: ...
    def send_exit_status(self, status: int, /) -> None: ...
    def close(self) -> None: ...


@dataclass
class Pty:
    """The terminal that the client asked for."""

    term: str
    rows: int
    columns: int


@dataclass
class Session:
    """A session from its first channel request to its exit status."""

    channel: Channel
    daemon: str  # path of the daemon's socket
    fingerprint: str
    pty: Pty | None = None
    environ: dict[str, str] = field(default_factory=dict)
    command: bytes | None = None  # None after a shell request
    asked: bool = False  # a channel runs one command
    control: socket.socket | None = None
    master: int = -1  # our end of the pty

    def start(self) -> None:
        """Work in a thread of its own."""
        threading.Thread(target=self._work, daemon=True).start()

    def resize(self, rows: int, columns: int) -> None:
        """Pass a new window size on."""
        if self.pty and self.control:
            with contextlib.suppress(OSError):  # the command ends at this moment
                set_size(self.master, rows, columns)
            self._tell({"size": [rows, columns]})

    def signal(self, name: str) -> None:
        """Pass a signal on (RFC 4254, 6.9: its name without SIG)."""
        if name in wire.SIGNALS:
            self._tell({"signal": name})

    def hang_up(self) -> None:
        """Tell the daemon that the client closed the channel, and stop."""
        if self.control:
            with contextlib.suppress(OSError):
                self.control.shutdown(socket.SHUT_RDWR)

    def _tell(self, message: wire.Message) -> None:
        if self.control:
            with contextlib.suppress(OSError):
                wire.send(self.control, message)

    def _work(self) -> None:
        try:
            status, say = self._run()
            if say:
                end = "\r\n" if self.pty else "\n"
                self.channel.sendall_stderr(f" !     {say}{end}".encode())
            self.channel.send_exit_status(status)
        except OSError:
            pass  # the client is gone
        except Exception:
            log.exception("a session failed")
        finally:
            self.channel.close()

    def _run(self) -> tuple[int, str]:
        """Run the command; return its exit status and what is left to say."""
        if not self.command:
            return NO_SHELL, "There is no shell here. Try the command: help"
        try:
            words = shlex.split(self.command.decode())
        except ValueError as error:  # UnicodeDecodeError is one
            return USAGE, f"The command cannot be read: {error}"
        try:
            self.control = wire.connect(self.daemon)
        except OSError:
            return UNAVAILABLE, "paas is not running on the host; ask its owner for: paas start"
        with self.control:
            if self.pty:
                return self._run_on_pty(words, self.pty)
            return self._run_on_pipes(words)

    def _run_on_pty(self, words: list[str], pty: Pty) -> tuple[int, str]:
        self.master, slave = os.openpty()
        set_size(self.master, pty.rows, pty.columns)
        self._hand_over(words, (slave, slave, slave), (slave,))
        self._start_input(os.dup(self.master), is_terminal=True)
        try:
            return self._carry({self.master: self.channel.sendall})
        finally:
            os.close(self.master)
            self.master = -1

    def _run_on_pipes(self, words: list[str]) -> tuple[int, str]:
        (stdin, our_in), (our_out, stdout), (our_err, stderr) = (_pipe() for _ in range(3))
        self._hand_over(words, (stdin, stdout, stderr), (stdin, stdout, stderr))
        self._start_input(our_in, is_terminal=False)
        sends = {our_out: self.channel.sendall, our_err: self.channel.sendall_stderr}
        try:
            return self._carry(sends)
        finally:
            os.close(our_out)
            os.close(our_err)

    def _hand_over(
        self, words: list[str], streams: tuple[int, int, int], ours: tuple[int, ...]
    ) -> None:
        """Send the request with its descriptors, then close our copies of them."""
        message: wire.Message = {
            "door": "ssh",
            "argv": words,
            "fingerprint": self.fingerprint,
            "environ": list(self.environ.items()),
        }
        if self.pty:
            size = {"rows": self.pty.rows, "columns": self.pty.columns}
            message |= {"tty": True, "term": self.pty.term, **size}
        assert self.control  # noqa: S101 - connected by the caller
        try:
            # A daemon that refuses may answer, and close, before everything is sent.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                wire.send(self.control, message, streams)
        finally:
            for descriptor in ours:
                os.close(descriptor)

    def _start_input(self, target: int, *, is_terminal: bool) -> None:
        arguments = (self.channel, target, is_terminal)
        threading.Thread(target=carry_input, args=arguments, daemon=True).start()

    def _carry(self, sends: dict[int, Send]) -> tuple[int, str]:
        """Carry output until the exit status comes, then what is still in the pipes."""
        assert self.control  # noqa: S101 - connected by the caller
        poll = select.poll()
        for descriptor in (*sends, self.control.fileno()):
            poll.register(descriptor, select.POLLIN)
        open_ends = set(sends)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self.control.fileno():
                    result = wire.wait_for_exit(self.control)
                    for rest in open_ends:
                        os.set_blocking(rest, False)
                        while copy_chunk(rest, sends[rest]):
                            pass
                    return result
                if not copy_chunk(descriptor, sends[descriptor]):
                    poll.unregister(descriptor)
                    open_ends.discard(descriptor)


def carry_input(channel: Channel, target: int, is_terminal: bool) -> None:
    """Write what the client sends to `target` until it sends no more, then close `target`."""
    try:
        while data := channel.recv(CHUNK):
            write_all(target, data)
        if is_terminal:
            write_all(target, b"\x04")  # VEOF: a terminal has no other end of input
    except OSError:
        while channel.recv(CHUNK):
            pass  # the command reads no more; the client may still send
    finally:
        os.close(target)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def copy_chunk(descriptor: int, send: Send) -> bool:
    """Send what can be read now; return False at the end, or when nothing is there."""
    try:
        data = os.read(descriptor, CHUNK)
    except OSError:  # EIO: the last process closed its side of the pty
        return False
    if data:
        send(data)
    return bool(data)


def set_size(terminal: int, rows: int, columns: int) -> None:
    """Set a terminal's size (ioctl_tty(2))."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    with contextlib.suppress(OSError):  # the user's share of pipe memory is used up: 64 KiB then
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reader, writer
