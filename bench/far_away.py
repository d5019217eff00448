"""Clients that are far away: a network namespace behind a link that delays every packet.

netem would do the same, but not every kernel has it; tun devices are in all of them. Packets that
enter one end come out of the other after the delay (Linux, Documentation/networking/tuntap.rst).
"""

import contextlib
import ctypes
import fcntl
import os
import secrets
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

TUNSETIFF = 0x400454CA  # <linux/if_tun.h>, as the two below
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000  # setns(2)
LARGEST = 65536
LIBC = ctypes.CDLL(None, use_errno=True)
TIMEOUT = 60.0


@dataclass(frozen=True)
class Way:
    """How clients come to the host: from itself, or from a namespace."""

    address: str = "127.0.0.1"
    namespace: str = ""

    def dial(self, port: int) -> socket.socket:
        """Return a connection to a port of the host. Raises OSError."""
        with _inside(self.namespace):
            sock = socket.socket()  # it stays in the namespace where it was made
        sock.settimeout(TIMEOUT)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect((self.address, port))
        except BaseException:
            sock.close()
            raise
        return sock


@contextlib.contextmanager
def far_away(delay: float) -> Iterator[Way]:
    """Make a namespace whose packets take `delay` seconds each way; remove it at the end."""
    name = f"far{secrets.token_hex(3)}"
    subnet = _free_subnet()
    with contextlib.ExitStack() as stack:
        ends = [_tun(f"{name}{end}") for end in "ab"]
        for end in ends:
            stack.callback(os.close, end)
        _ip("netns", "add", name)
        stack.callback(_ip, "netns", "del", name)
        _ip("addr", "add", f"{subnet[1]}/24", "dev", f"{name}a")
        _ip("link", "set", f"{name}a", "up")
        _ip("link", "set", f"{name}b", "netns", name)
        _ip("-n", name, "addr", "add", f"{subnet[2]}/24", "dev", f"{name}b")
        _ip("-n", name, "link", "set", f"{name}b", "up")
        argv = [sys.executable, "-m", "bench.far_away", *map(str, (*ends, delay))]
        process = stack.enter_context(subprocess.Popen(argv, pass_fds=ends))
        stack.callback(process.kill)
        yield Way(str(subnet[1]), name)


def forward(one: int, other: int, delay: float) -> None:
    """Carry packets between two tun devices for ever, each after the delay."""
    ends = {one: other, other: one}
    waiting: deque[tuple[float, int, bytes]] = deque()  # all wait as long: so it is in order
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for end in select.select([*ends], [], [], pause)[0]:
            waiting.append((time.monotonic() + delay, ends[end], os.read(end, LARGEST)))
        while waiting and waiting[0][0] <= time.monotonic():
            _, end, packet = waiting.popleft()
            with contextlib.suppress(OSError):  # the device is down: then packets are lost
                os.write(end, packet)


def _free_subnet() -> IPv4Network:
    """Return a subnet for tests (RFC 2544) to which this host has no route."""
    routes = _ip("-4", "route", "show", "table", "all")
    all_of_them = IPv4Network("198.19.0.0/16").subnets(new_prefix=24)
    return next(net for net in all_of_them if str(net[0]) not in routes)


def _tun(name: str) -> int:
    """Return the descriptor of a new tun device, which lives as long as that."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def _ip(*words: str) -> str:
    argv = ["ip", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=10).stdout


@contextlib.contextmanager
def _inside(namespace: str) -> Iterator[None]:
    """Run the body with this thread in a network namespace; "" is where it is already."""
    if not namespace:
        yield
        return
    with (
        Path("/proc/thread-self/ns/net").open() as home,
        Path("/run/netns", namespace).open() as other,
    ):
        _enter(other.fileno())
        try:
            yield
        finally:
            _enter(home.fileno())


def _enter(namespace: int) -> None:
    """Put this thread into a namespace (setns(2); `os` has it from Python 3.12 on)."""
    if LIBC.setns(namespace, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    forward(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
