"""Asking from inside an app's network: does a name exist, does a port answer, which wall refuses.

What looks is a tools container in the network namespace of one of the app's processes: it has its
name server, its routes and its walls. The walls refuse as a closed port does (a TCP reset), so
which one it was is told from the address.
"""

import json
import shlex
import socket
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from pathlib import Path

from paas import networks, oneoff
from paas.errors import CommandEnded, StartFailed, UsageError
from paas.firewall import METADATA
from paas.model import Actor, App
from paas.platform import Platform
from paas.reporter import DETAIL, PROBLEM, clean
from paas.schedulers.base import Beside, Streams
from paas.settings import Settings
from paas.tasks import Errand, RunKind

LIMIT = 60.0  # seconds for all of it
HOST_BYTES = 253  # RFC 1035
PORTS = range(1, 65536)
ANSWER_BYTES = 64 * 1024
ROUTES = Path("/proc/net/route")
SCRIPT = """\
import json, socket, sys, time
host, port = sys.argv[1], int(sys.argv[2])
answer = {"name_error": "", "attempts": []}
begun = time.monotonic()
try:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
except OSError as error:
    found, answer["name_error"] = [], error.strerror or str(error)
answer["name_ms"] = round((time.monotonic() - begun) * 1000, 1)
for address in list(dict.fromkeys(entry[4][0] for entry in found))[:8]:
    begun, error = time.monotonic(), ""
    try:
        socket.create_connection((address, port), 5).close()
    except TimeoutError:
        error = "no answer within 5 s"
    except OSError as cause:
        error = cause.strerror or str(cause)
    took = round((time.monotonic() - begun) * 1000, 1)
    answer["attempts"].append({"address": address, "error": error, "ms": took})
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class Attempt:
    """One address that was tried."""

    address: str
    error: str  # "" when it answered
    ms: float
    wall: str = ""  # what of paas refuses it, "" if nothing does


@dataclass(frozen=True)
class Probe:
    """What was found."""

    host: str
    port: int
    name_error: str
    name_ms: float
    attempts: tuple[Attempt, ...]

    @property
    def connects(self) -> bool:
        """Whether any address answers."""
        return any(not attempt.error for attempt in self.attempts)

    def lines(self) -> Iterator[str]:
        """Yield it for people."""
        if self.name_error:
            yield f"{PROBLEM}{self.host} has no address: {self.name_error} ({self.name_ms} ms)"
            return
        names = " ".join(attempt.address for attempt in self.attempts)
        yield f"{DETAIL}{self.host} is {names} ({self.name_ms} ms)"
        for each in self.attempts:
            said = f"{each.address} port {self.port}"
            if not each.error:
                yield f"{DETAIL}{said} answers ({each.ms} ms)"
            else:
                yield f"{PROBLEM}{said}: {each.error} ({each.ms} ms)"
            if each.wall:
                yield f"{PROBLEM}{each.wall}"

    def as_json(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "host": self.host,
            "port": self.port,
            "name_error": self.name_error or None,
            "name_ms": self.name_ms,
            "attempts": [
                {
                    "address": each.address,
                    "connects": not each.error,
                    "error": each.error or None,
                    "ms": each.ms,
                    "wall": each.wall or None,
                }
                for each in self.attempts
            ],
        }


def probe(  # noqa: PLR0913, PLR0917 - whose network, and what is looked for
    platform: Platform, app: App, actor: Actor, container_id: str, host: str, port: int
) -> Probe:
    """Look from the network of the app's container. Raises UsageError, StartFailed."""
    if port not in PORTS or len(host) > HOST_BYTES or not host.isprintable() or not host:
        raise UsageError("That is no host and port", hint="As in: network:probe APP db.local 5432")
    line = shlex.join(("python3", "-c", SCRIPT, host, str(port)))
    errand = Errand(RunKind.DEBUG, line, actor.name, LIMIT)
    with tempfile.TemporaryFile() as out:
        streams = Streams(None, out.fileno(), out.fileno())
        status = _run(platform, app, errand, streams, container_id)
        out.seek(0)
        said = out.read(ANSWER_BYTES).decode(errors="replace")
    try:
        return _read(
            platform.settings, networks.subnets_of(platform, app), host, port, json.loads(said)
        )
    except (ValueError, KeyError, TypeError) as error:
        raise StartFailed(
            f"The look from {app.name}'s network failed with status {status}",
            details=tuple(clean(said).splitlines()[-5:]),
        ) from error


def _run(platform: Platform, app: App, errand: Errand, streams: Streams, container_id: str) -> int:
    try:
        return oneoff.hold(platform, app, errand, streams, Beside(container_id))
    except CommandEnded as ended:  # what it wrote tells more
        return ended.exit_status


def find_wall(settings: Settings, own: Sequence[IPv4Network], address: str) -> str:  # noqa: PLR0911 - one per wall
    """Return which wall of paas stands before an address, "" for none; see paas.firewall.

    `own` are the networks that the app is on.
    """
    try:
        where = IPv4Address(address)
    except AddressValueError:
        return "Apps have no IPv6"
    if where.is_loopback or any(where in net for net in own):
        return ""
    if any(where in IPv4Network(part.strip()) for part in METADATA.split(",")):
        return "The cloud's metadata service is walled off from apps"
    if any(where in IPv4Network(net) for net in (settings.network, settings.services)):
        return "Apps do not reach each other; use its public URL, or share a network: network:help"
    if is_local(address):
        return f"Of this host, apps reach ports {settings.http_port} and {settings.https_port} only"
    if interface_to(where).startswith(("br-", "docker")):
        return "Containers outside of paas are walled off from apps"
    return ""


def is_local(address: str) -> bool:
    """Whether the address is one of this host's own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
    return True


def interface_to(address: IPv4Address, table: Path = ROUTES) -> str:
    """Return the interface that leads to an address, "" for none (proc(5), net/route)."""
    best, name = -1, ""
    for line in table.read_text().splitlines()[1:]:
        interface, target, _, _, _, _, _, mask, *_ = line.split()
        net, bits = (int.from_bytes(bytes.fromhex(word)[::-1]) for word in (target, mask))
        if int(address) & bits == net and bits > best:
            best, name = bits, interface
    return name


def _read(
    settings: Settings,
    own: Sequence[IPv4Network],
    host: str,
    port: int,
    answer: Mapping[str, list[Mapping[str, object]]],
) -> Probe:
    attempts = tuple(
        Attempt(
            address=str(each["address"]),
            error=clean(str(each["error"])),
            ms=float(str(each["ms"])),
            wall=find_wall(settings, own, str(each["address"])) if each["error"] else "",
        )
        for each in answer["attempts"]
    )
    return Probe(
        host, port, clean(str(answer["name_error"])), float(str(answer["name_ms"])), attempts
    )
