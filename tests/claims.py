"""Ports, addresses and numbers that this process has to itself: test runs go on side by side.

Each process claims one of the blocks at its first use, and hands out what is in it in turn. The
claim is a bound UDP socket: it ends with the process, however that ends.
"""

import atexit
import itertools
import socket
from functools import cache
from random import sample

PORTS = 20_000  # the first; all of them are below what the kernel gives to clients (32,768)
BLOCK = 100  # ports in a block
BLOCKS = 120
_turn = itertools.count()
_held: dict[int, socket.socket] = {}


@cache
def block() -> int:
    """Return the number of this process's block, below BLOCKS."""
    return next(n for n in sample(range(BLOCKS), BLOCKS) if claim(PORTS + n * BLOCK))


def claim(port: int) -> bool:
    """Whether this process has the claim that goes by this UDP port, now or already."""
    if port in _held:
        return True
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        return False
    _held[port] = held
    atexit.register(held.close)
    return True


def free_port(address: str = "127.0.0.1") -> int:
    """Return a TCP port that nobody listens on, and that nobody else is given."""
    while True:
        port = PORTS + block() * BLOCK + next(_turn) % BLOCK
        with socket.socket() as probe:
            try:
                probe.bind((address, port))
            except OSError:  # in use, or used a moment ago
                continue
        return port


def loopback_network() -> str:
    """Return a /20 of loopback addresses; the sixteenth after it is the same again."""
    return f"127.{100 + block()}.{next(_turn) % 16 * 16}.0/20"
