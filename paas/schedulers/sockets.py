"""The TCP sockets of a container, read from /proc/<pid>/net/tcp and tcp6 (proc(5)) on the host."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from paas.schedulers.base import Listener

ESTABLISHED, LISTEN = "01", "0A"
ENGINE_DNS = "127.0.0.11"  # the engine's resolver listens in every container's network namespace


@dataclass(frozen=True)
class Socket:
    """One line of the table: local address and port, and the state in hex."""

    address: str
    port: int
    state: str


def listeners(pid: int) -> tuple[Listener, ...]:
    """Return the listening sockets in the network namespace of a process, by port."""
    found = {(s.port, s.address) for s in _sockets(pid) if s.state == LISTEN}
    return tuple(
        Listener(address, port) for port, address in sorted(found) if address != ENGINE_DNS
    )


def connections(pid: int, port: int) -> int:
    """Return how many connections to `port` are established."""
    return sum(s.state == ESTABLISHED and s.port == port for s in _sockets(pid))


def _sockets(pid: int) -> list[Socket]:
    lines: list[str] = []
    for table in ("tcp", "tcp6"):
        try:
            lines += Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
        except OSError:  # the process is gone, or the kernel has no IPv6
            continue
    return [_parse(line) for line in lines]


def _parse(line: str) -> Socket:
    _, local, _, state, *_ = line.split()
    address, _, port = local.partition(":")
    return Socket(_address(address), int(port, 16), state)


def _address(text: str) -> str:
    """Decode the kernel's words of 32 bits, each in the host's (little-endian) byte order."""
    words = [bytes.fromhex(text[i : i + 8])[::-1] for i in range(0, len(text), 8)]
    raw = b"".join(words)
    if len(words) == 1:
        return str(IPv4Address(raw))
    full = IPv6Address(raw)
    return str(full.ipv4_mapped or full)
