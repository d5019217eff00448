"""Tells other processes at once that the database has changed.

Who listens has a datagram socket of its own in one directory; who has committed a change sends
each an empty datagram (unix(7)). What has changed is read from the database: a ring that meets a
full socket is none too few, for the ones before it have not been heard yet.
"""

import contextlib
import os
import secrets
import select
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from paas.errors import Unavailable


class Bell:
    """The bell of one instance. `folder` is made by whoever listens first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ring(self) -> None:
        """Wake all that listen; never waits, never fails."""
        try:
            names = os.listdir(self._folder)  # noqa: PTH208 - called with every change
        except OSError:
            return
        if names:
            with (
                contextlib.suppress(OSError),
                _opened(self._folder) as folder,
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender,
            ):
                sender.setblocking(False)
                for name in names:
                    _send(sender, folder, name)

    def listen(self) -> "Ear":
        """Listen from now on. Raises Unavailable when there is no place for it."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Ear(self._folder)
        except OSError as error:
            raise Unavailable(f"There is no place for {self._folder}", hint="paas setup") from error


class Ear:
    """Hears the bell of one instance, until it is closed."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with _opened(folder) as opened:
            self._socket.bind(_address(opened, self._path.name))

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when the bell was rung."""
        return self._socket.fileno()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for a ring since the last call; False when time is up, or when it was closed."""
        try:
            if not select.select([self._socket], [], [], seconds)[0]:
                return False
            while True:  # rings that were not heard yet say no more than one
                self._socket.recv(1)
        except BlockingIOError:
            return True
        except (OSError, ValueError):  # closed
            return False

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._socket.close()


def _send(sender: socket.socket, folder: int, name: str) -> None:
    try:
        sender.sendto(b"", _address(folder, name))
    except ConnectionRefusedError:  # whoever listened has died without saying so
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=folder)
    except OSError:
        return


def _address(folder: int, name: str) -> str:
    """Return a socket's path that is short whatever the directory's is (sun_path has 108 bytes)."""
    return f"/proc/self/fd/{folder}/{name}"


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
