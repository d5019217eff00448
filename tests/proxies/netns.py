"""Containers without an engine: a bridge like an app's, and network namespaces on it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import IO

import docker
import docker.types

UPSTREAM = Path(__file__).with_name("upstream.py")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=30)


@contextmanager
def engine_network(name: str, subnet: IPv4Network) -> Iterator[None]:
    """A network of the real engine on a bridge called `name`, with the engine's own rules."""
    with closing(docker.APIClient()) as engine:
        pool = docker.types.IPAMPool(subnet=str(subnet), gateway=str(subnet[1]))
        network = engine.create_network(
            name,
            ipam=docker.types.IPAMConfig(pool_configs=[pool]),
            options={"com.docker.network.bridge.name": name},
        )
        try:
            yield
        finally:
            engine.remove_network(network["Id"])


@contextmanager
def bridge(name: str, subnet: IPv4Network) -> Iterator[None]:
    """A bridge whose address is the first of the subnet, as the engine makes it."""
    ip("link", "add", name, "type", "bridge")
    try:
        ip("addr", "add", f"{subnet[1]}/{subnet.prefixlen}", "dev", name)
        ip("link", "set", name, "up")
        yield
    finally:
        ip("link", "del", name)


class Namespace:
    """A network namespace with one address on a bridge."""

    def __init__(self, name: str, bridge_name: str, subnet: IPv4Network, address: str) -> None:
        self.name = name
        self.address = address
        self._servers: list[subprocess.Popen[str]] = []
        ip("netns", "add", name)
        ip("link", "add", f"v{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", f"v{name}", "master", bridge_name, "up")
        self.ip("addr", "add", f"{address}/{subnet.prefixlen}", "dev", "eth0")
        self.ip("link", "set", "lo", "up")
        self.ip("link", "set", "eth0", "up")
        self.ip("route", "add", "default", "via", str(subnet[1]))

    def ip(self, *arguments: str) -> None:
        ip("-n", self.name, *arguments)

    def command(self, *arguments: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *arguments]

    def serve(self, name: str, port: int) -> subprocess.Popen[str]:
        """Start the test app here; returns once it listens."""
        argv = self.command(sys.executable, str(UPSTREAM), name, str(port))
        server = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        self._servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        return server

    def connect(self, address: str, port: int, timeout: float = 2) -> str:
        """Try a TCP connection from here; return "open", or the error's name."""
        script = (
            "import socket, sys\n"
            "try: socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3]))\n"
            "except OSError as error: print(type(error).__name__, error.errno)\n"
            "else: print('open')"
        )
        argv = self.command(sys.executable, "-c", script, address, str(port), str(timeout))
        return subprocess.run(
            argv, check=True, capture_output=True, text=True, timeout=timeout + 20
        ).stdout.strip()

    @contextmanager
    def datagrams(self, port: int) -> Iterator[IO[str]]:
        """Listen for datagrams; each gives a line with the address it came from."""
        script = (
            "import socket, sys\n"
            "s = socket.socket(type=socket.SOCK_DGRAM)\n"
            "s.bind(('', int(sys.argv[1])))\n"
            "print('ready', flush=True)\n"
            "while True: print(s.recvfrom(99)[1][0], flush=True)"
        )
        argv = self.command(sys.executable, "-c", script, str(port))
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as listener:
            assert listener.stdout is not None
            listener.stdout.readline()
            try:
                yield listener.stdout
            finally:
                listener.kill()

    def send_datagram(self, source: str, address: str, port: int) -> None:
        script = (
            "import socket, sys\n"
            "s = socket.socket(type=socket.SOCK_DGRAM)\n"
            "s.bind((sys.argv[1], 0))\n"
            "s.sendto(b'x', (sys.argv[2], int(sys.argv[3])))"
        )
        argv = self.command(sys.executable, "-c", script, source, address, str(port))
        subprocess.run(argv, check=True, timeout=20)

    @contextmanager
    def announcements(self) -> Iterator[IO[str]]:
        """Listen for ARP answers; each gives a line with the address that its sender claims."""
        script = (
            "import socket\n"
            "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))\n"
            "print('ready', flush=True)\n"
            "while True:\n"
            "    frame = s.recv(99)\n"
            "    if frame[20:22] == bytes([0, 2]):\n"
            "        print(socket.inet_ntoa(frame[28:32]), flush=True)"
        )
        argv = self.command(sys.executable, "-c", script)
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as listener:
            assert listener.stdout is not None
            listener.stdout.readline()
            try:
                yield listener.stdout
            finally:
                listener.kill()

    def announce(self, address: str) -> None:
        """Claim by ARP (RFC 826), towards everybody on the bridge, to have this address."""
        script = (
            "import socket, sys\n"
            "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
            "s.bind(('eth0', 0))\n"
            "mac, ip = s.getsockname()[4], socket.inet_aton(sys.argv[1])\n"
            "head = bytes([255] * 6) + mac + bytes.fromhex('080600010800060400 02')\n"
            "s.send(head + mac + ip + bytes([255] * 6) + ip)"
        )
        argv = self.command(sys.executable, "-c", script, address)
        subprocess.run(argv, check=True, timeout=20)

    def close(self) -> None:
        for server in self._servers:
            server.kill()
            server.wait()
            assert server.stdout is not None
            server.stdout.close()
        ip("netns", "del", self.name)
