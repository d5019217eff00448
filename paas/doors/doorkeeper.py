"""The ssh door's first process: accepts, counts and forks; of ssh it speaks the greeting only."""

import contextlib
import gc
import hashlib
import logging
import os
import random
import selectors
import signal
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from paas.doors.lobby import Limits, Lobby, Stranger, house_of

PID, PROOF = 4, 12  # bytes; pipe(7) writes so few at once or not at all

log = logging.getLogger("paas")


def proof(pid: int, fingerprint: str) -> bytes:
    """Return what a connection's process says once a key is proved: its pid, and whose key."""
    return pid.to_bytes(PID, "big") + hashlib.sha256(fingerprint.encode()).digest()[: PROOF - PID]


@dataclass
class Doorkeeper:
    """Keeps the limits. `serve_connection(client, authenticated)` runs in a process of its own.

    The client was greeted and has said something. The process writes proof() to the descriptor
    `authenticated` once a key is proved.
    """

    limits: Limits
    serve_connection: Callable[[socket.socket, int], None]
    friends: dict[int, bytes] = field(default_factory=dict)  # pid -> whose key

    def __post_init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.lobby = Lobby(self.limits, self.selector)

    def serve(self, listener: socket.socket, lifeline: int) -> None:
        """Accept until the lifeline ends or SIGTERM comes; connections at work go on."""
        self._listener, self._lifeline = listener, lifeline
        self._told, self._authenticated = os.pipe()
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken, listener):
            end.setblocking(False)
        os.set_blocking(self._told, False)
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.collect()
        gc.freeze()
        for source in (listener, lifeline, self._told, self._woken):
            self.selector.register(source, selectors.EVENT_READ)
        while True:
            ready = {key.fileobj for key, _ in self.selector.select(self.lobby.next_look())}
            self._count()
            self.lobby.hear(ready)
            if lifeline in ready:
                return
            if listener in ready:
                self._accept()
            for stranger in self.lobby.in_turn():
                self._begin(stranger)

    def _count(self) -> None:
        """Learn which connections ended, and which proved a key."""
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)
        with contextlib.suppress(BlockingIOError):
            while told := os.read(self._told, PROOF):
                self._befriend(int.from_bytes(told[:PID], "big"), told[PID:])
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self.lobby.leave(pid)
                self.friends.pop(pid, None)

    def _befriend(self, pid: int, key: bytes) -> None:
        """Count a stranger who proved a key as a friend, unless that key has enough of them."""
        if not self.lobby.leave(pid):
            return
        self.friends[pid] = key
        if sum(1 for other in self.friends.values() if other == key) > self.limits.friends:
            log.info("ended a connection: its key has %d already", self.limits.friends)
            os.kill(pid, signal.SIGTERM)  # not reaped yet, so the pid is still its own

    def _accept(self) -> None:
        try:
            client, (address, *_) = self._listener.accept()
        except OSError:  # it went away while it waited
            return
        address = house_of(address)
        if not self._make_room(address):
            self.lobby.note("all places are taken; refused one from", address)
            client.close()
            return
        try:
            self.lobby.greet(client, address)
        except OSError:
            client.close()

    def _make_room(self, address: str) -> bool:
        """End somebody if there are too many; return False if all friends have one connection.

        Strangers give way first. Where all are friends, the key with the most connections gives
        way: a few keys cannot keep the others out.
        """
        strangers = self.lobby.strangers
        alike = [each for each in strangers if each.address == address]
        if len(alike) >= self.limits.strangers:
            self.lobby.make_room(alike)
        elif len(strangers) + len(self.friends) >= self.limits.connections:
            if not strangers:
                return self._end_friend()
            self.lobby.make_room(strangers)
        return True

    def _end_friend(self) -> bool:
        """End a connection of the key that has the most; return False if none has two."""
        key, count = Counter(self.friends.values()).most_common(1)[0]
        if count == 1:
            return False
        pid = random.choice([pid for pid, other in self.friends.items() if other == key])  # noqa: S311 - no secret
        del self.friends[pid]
        log.info("ended a connection: the door is full, and its key has %d", count)
        os.kill(pid, signal.SIGTERM)  # not reaped yet, so the pid is still its own
        return True

    def _begin(self, stranger: Stranger) -> None:
        """Give a stranger its process; where the host has none left, it may come again."""
        try:
            pid = os.fork()
        except OSError:
            log.exception("there is no process for a connection from %s", stranger.address)
            self.lobby.end(stranger)
            return
        if pid == 0:
            self._run_connection(stranger.line)
        self.lobby.begun(stranger, pid)

    def _run_connection(self, client: socket.socket) -> NoReturn:
        """Serve one connection in a process that has no line but its own."""
        try:
            signal.set_wakeup_fd(-1)
            self.selector.close()
            others = [each.line for each in self.lobby.strangers if each.line is not client]
            for end in (self._listener, self._wake, self._woken, *others):
                end.close()
            os.close(self._lifeline)
            os.close(self._told)
            self.serve_connection(client, self._authenticated)
        except BaseException:
            log.exception("a connection failed")
        finally:
            os._exit(0)
