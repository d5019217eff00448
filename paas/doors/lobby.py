"""Where the ssh door keeps those who have proved no key: greeted, waited for, and in turn.

The greeting is all the ssh that is spoken here. A stranger gets a process once it has answered with
anything at all, so that one who is silent costs a descriptor and no memory.
"""

import ipaddress
import logging
import math
import os
import random
import selectors
import signal
import socket
import time
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field

GREETING = "SSH-2.0-paas"  # RFC 4253, 4.2: either side may send its line first
CORES = os.cpu_count() or 1
PAUSE = 10.0  # seconds between notes in the log
HOUSE = 64  # bits of an IPv6 address: whoever has one has all that begin with them

log = logging.getLogger("paas")


@dataclass(frozen=True)
class Limits:
    """How much strangers and friends may use. Times are seconds."""

    connections: int = 200
    friends: int = 50  # connections with one key, so that nobody takes all of them
    strangers: int = 60  # of one address, no key proved yet: behind it may be a whole office
    processes: int = 60  # of all strangers together
    turns: int = CORES  # handshakes of one address that are begun within the time of a turn
    turn: float = 0.05  # more than a handshake computes
    unauthenticated: float = 15.0  # to begin, and once more to prove a key
    idle: float = 300.0  # without any session open


@dataclass(eq=False)
class Stranger:
    """A connection that has proved no key."""

    line: socket.socket  # closed here once a process has it
    address: str
    until: float  # (monotonic) the end of its time to begin, and then of its turn
    has_spoken: bool = False
    pid: int = 0

    @property
    def waits(self) -> bool:
        """Whether it has no process yet."""
        return self.pid == 0


@dataclass
class Lobby:
    """The strangers, the oldest first. Their lines are in `selector` until they speak."""

    limits: Limits
    selector: selectors.BaseSelector
    strangers: list[Stranger] = field(default_factory=list)
    noted: float = -math.inf  # (monotonic)

    def greet(self, line: socket.socket, address: str) -> None:
        """Take a connection in. Raises OSError when it has gone already."""
        line.setblocking(False)
        line.send(f"{GREETING}\r\n".encode())
        until = time.monotonic() + self.limits.unauthenticated
        self.strangers.append(Stranger(line, address, until))
        self.selector.register(line, selectors.EVENT_READ)

    def hear(self, ready: Container[object]) -> None:
        """Take note of who has spoken, and send away who left or waited for too long."""
        now = time.monotonic()
        for each in [each for each in self.strangers if each.waits]:
            speaks = not each.has_spoken and each.line in ready
            if each.until <= now or (speaks and _has_gone(each.line)):
                self.end(each)
            elif speaks:
                each.has_spoken = True
                self.selector.unregister(each.line)

    def in_turn(self) -> Iterator[Stranger]:
        """Yield who is to begin now; the caller calls `begun` for each.

        Each address has its own turns, so that a crowd from one keeps nobody waiting who comes from
        another. Of one address the newest begins first: who comes behind a crowd waits for those at
        work, not for all of it. One that falls silent delays the next by the time of a turn.
        """
        now = time.monotonic()
        busy = Counter(each.address for each in self.strangers if each.pid and each.until > now)
        for each in self.strangers[::-1]:
            if each.waits and each.has_spoken and busy[each.address] < self.limits.turns:
                busy[each.address] += 1
                yield each

    def begun(self, stranger: Stranger, pid: int) -> None:
        """Let it be the process's; if strangers have too many of them, one gives way."""
        stranger.line.close()
        stranger.pid, stranger.until = pid, time.monotonic() + self.limits.turn
        at_work = [each for each in self.strangers if each.pid]
        if len(at_work) > self.limits.processes:
            self.make_room(at_work)

    def leave(self, pid: int) -> bool:
        """Forget the stranger with this process; return False if there is none."""
        left = [each for each in self.strangers if each.pid != pid]
        found, self.strangers = len(left) < len(self.strangers), left
        return found

    def make_room(self, crowd: Sequence[Stranger]) -> None:
        """End one of them."""
        chosen = choose(crowd)
        self.note("ended one that had proved no key, from", chosen.address)
        self.end(chosen)

    def note(self, what: str, address: str) -> None:
        """Write into the log what crowding led to, once in a while: a flood shall not fill it."""
        now = time.monotonic()
        if now >= self.noted + PAUSE:
            self.noted = now
            log.info("many connections: %s %s", what, address)

    def end(self, stranger: Stranger) -> None:
        """End its connection."""
        self.strangers.remove(stranger)
        if stranger.pid:
            os.kill(stranger.pid, signal.SIGTERM)  # not reaped yet, so the pid is still its own
            return
        if not stranger.has_spoken:
            self.selector.unregister(stranger.line)
        stranger.line.close()

    def next_look(self) -> float | None:
        """Return in how many seconds somebody's time or turn ends; None if nobody's does."""
        now = time.monotonic()
        ends = [each.until for each in self.strangers if each.waits or each.until > now]
        return max(0.0, min(ends) - now) if ends else None


def choose(strangers: Sequence[Stranger]) -> Stranger:
    """Return who gives way: by chance, one of an address that has the most.

    By chance, as sshd_config(5)'s MaxStartups: strangers that hold all places, and say nothing,
    then keep nobody out who proves a key at once. Of the largest crowd, so that those who come from
    one address can push out each other only.
    """
    crowds = Counter(each.address for each in strangers)
    largest = max(crowds.values())
    return random.choice([each for each in strangers if crowds[each.address] == largest])  # noqa: S311 - no secret


def _has_gone(line: socket.socket) -> bool:
    """Return whether a client that can be read from has said nothing before it left."""
    try:
        return not line.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def house_of(address: str) -> str:
    """Return what counts as one address: of IPv6 the first half, which one customer has whole."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((ip, HOUSE), strict=False))
