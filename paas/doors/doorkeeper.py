"""The ssh door's first process: accepts, counts and forks; it speaks no ssh itself."""

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

PID, PROOF = 4, 12  # bytes; pipe(7) writes so few at once or not at all

log = logging.getLogger("paas")


def proof(pid: int, fingerprint: str) -> bytes:
    """Return what a connection's process says once a key is proved: its pid, and whose key."""
    return pid.to_bytes(PID, "big") + hashlib.sha256(fingerprint.encode()).digest()[: PROOF - PID]


@dataclass(frozen=True)
class Limits:
    """How much strangers and friends may use. Times are seconds."""

    connections: int = 200
    friends: int = 50  # connections with one key, so that nobody takes all of them
    strangers: int = 60  # of one address, no key proved yet: behind it may be a whole office
    unauthenticated: float = 15.0
    idle: float = 300.0  # without any session open


@dataclass
class Doorkeeper:
    """Keeps the limits. `serve_connection(client, authenticated)` runs in a process of its own.

    That process writes proof() to the descriptor `authenticated` once a key is proved.
    """

    limits: Limits
    serve_connection: Callable[[socket.socket, int], None]
    strangers: dict[int, str] = field(default_factory=dict)  # pid -> address, no key proved yet
    friends: dict[int, bytes] = field(default_factory=dict)  # pid -> whose key

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
        with selectors.DefaultSelector() as selector:
            for source in (listener, lifeline, self._told, self._woken):
                selector.register(source, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if lifeline in ready:
                    return
                self._count()
                if listener in ready:
                    self._accept()

    def _count(self) -> None:
        """Learn which connections ended, and which proved a key."""
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(4096)
        with contextlib.suppress(BlockingIOError):
            while told := os.read(self._told, PROOF):
                self._befriend(int.from_bytes(told[:PID], "big"), told[PID:])
        with contextlib.suppress(ChildProcessError):
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                self.strangers.pop(pid, None)
                self.friends.pop(pid, None)

    def _befriend(self, pid: int, key: bytes) -> None:
        """Count a stranger who proved a key as a friend, unless that key has enough of them."""
        if not self.strangers.pop(pid, None):
            return
        self.friends[pid] = key
        if sum(1 for other in self.friends.values() if other == key) > self.limits.friends:
            log.info("ended a connection: its key has %d already", self.limits.friends)
            os.kill(pid, signal.SIGTERM)  # not reaped yet, so the pid is still its own

    def _accept(self) -> None:
        try:
            client, address = self._listener.accept()
        except OSError:  # it went away while it waited
            return
        with client:
            if not self._make_room(address[0]):
                log.info("refused a connection from %s: too many", address[0])
                return
            pid = os.fork()
            if pid == 0:
                self._run_connection(client)
            self.strangers[pid] = address[0]

    def _make_room(self, address: str) -> bool:
        """End somebody if there are too many; return False if all friends have one connection.

        By chance, as sshd_config(5)'s MaxStartups: strangers that hold all places, and say nothing,
        then keep nobody out who proves a key at once. Where all are friends, the key with the most
        connections gives way: a few keys cannot keep the others out.
        """
        alike = [pid for pid, other in self.strangers.items() if other == address]
        if len(alike) >= self.limits.strangers:
            self._end(random.choice(alike))  # noqa: S311 - no secret
        elif len(self.strangers) + len(self.friends) >= self.limits.connections:
            if not self.strangers:
                return self._end_friend()
            self._end(random.choice(list(self.strangers)))  # noqa: S311 - as above
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

    def _end(self, stranger: int) -> None:
        address = self.strangers.pop(stranger)
        log.info("ended a connection from %s that had proved no key: too many", address)
        os.kill(stranger, signal.SIGTERM)  # not reaped yet, so the pid is still its own

    def _run_connection(self, client: socket.socket) -> NoReturn:
        try:
            signal.set_wakeup_fd(-1)
            for end in (self._listener, self._wake, self._woken):
                end.close()
            os.close(self._lifeline)
            os.close(self._told)
            self.serve_connection(client, self._authenticated)
        except BaseException:
            log.exception("a connection failed")
        finally:
            os._exit(0)
