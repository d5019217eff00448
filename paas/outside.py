"""Where paas itself may connect to for its users: public addresses, looked up once.

A name is resolved here and the connection is made to that address, so that it cannot become
another one in between.
"""

import base64
import http.client
import signal
import socket
import ssl
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from types import FrameType
from typing import BinaryIO, Protocol
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from paas.errors import InvalidName, SourceRefused, Unavailable
from paas.settings import Settings

SECONDS = 30.0  # without a byte
PIECE = 1 << 20
REDIRECTS = 3
REDIRECTED = {301, 302, 303, 307, 308}
HINT = "A host inside has to be allowed by the host's owner: git:allow-host HOST"

# IPv6 that leads to an IPv4 address that would have to be looked at (RFC 6052, RFC 3056, RFC 2765,
# RFC 4291: IPv4-compatible), and what RFC 3879 took out of use: networks inside may still have it.
LED_INSIDE = tuple(
    map(
        IPv6Network,
        ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "::ffff:0:0:0/96", "::/96", "fec0::/10"),
    )
)


Check = Callable[[], None]


class Unknown(Unavailable):
    """Nobody here knows the name."""


class Readable(Protocol):
    """What can be copied from."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


def find_address(host: str, port: int, *, private: bool, hint: str) -> str:
    """Return the address to connect to; all that the name has must be allowed.

    `private` allows inside addresses too, `hint` says who can. Raises Unavailable.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unknown(f"{host} has no address") from error
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if not is_allowed(address, private=private):
            raise Unavailable(f"{host} is {address}, which is not a public address", hint=hint)
    return str(addresses[0])


def is_allowed(address: IPv4Address | IPv6Address, *, private: bool) -> bool:
    """Whether paas may connect there. Link-local never: there are metadata services."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return is_allowed(address.ipv4_mapped, private=private)
        if not address.is_loopback and any(address in network for network in LED_INSIDE):
            return False
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_global or (private and (address.is_private or address.is_loopback))


def connect(
    host: str, port: int, seconds: float, settings: Settings, *, private: bool
) -> socket.socket:
    """Connect to a host for TLS, through the company's proxy if there is one.

    What is inside is reached directly, and only if it is allowed (`private`). The proxy gets the
    name, since it may know names that this host does not: TLS proves who answers. Raises
    Unavailable, OSError.
    """
    proxy = settings.proxy_to(host)
    try:
        address = find_address(host, port, private=private, hint=HINT)
    except Unknown:
        if not proxy:
            raise
    else:
        if not proxy or not ip_address(address).is_global:
            return socket.create_connection((address, port), seconds)
    return _tunnel(proxy, host, port, seconds)


def _tunnel(proxy: str, host: str, port: int, seconds: float) -> socket.socket:
    """Ask an http proxy for a way to a host (RFC 9110, CONNECT). Raises OSError."""
    parts = urlsplit(proxy)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=seconds)
    login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    basic = base64.b64encode(login.encode()).decode()
    headers = {"Proxy-Authorization": f"Basic {basic}"} if parts.username else {}
    connection.set_tunnel(host, port, headers)
    try:
        connection.connect()
    except OSError as error:
        raise OSError(f"the proxy {parts.hostname}: {error}") from error
    return connection.sock


@contextmanager
def within(seconds: float, host: str) -> Iterator[None]:
    """Let the body take so long at most, however many bytes come. Only in the main thread.

    Raises Unavailable then.
    """

    def end(_signal: int, _frame: FrameType | None) -> None:
        raise Unavailable(
            f"{host} did not end within {seconds:.0f} s", hint="See fetch_timeout in paas.toml"
        )

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def download(  # noqa: PLR0913, PLR0917 - where from, where to, and what is allowed
    url: str,
    file: BinaryIO,
    limit: int,
    check: Check,
    settings: Settings,
    trusted: Container[str],
) -> None:
    """Write what https gives for `url` into `file`, following at most three redirects.

    `trusted` are the hosts that may be inside; `check` is as for copy(). Raises
    InvalidName for another scheme, Unavailable, SourceRefused for more than `limit` bytes.
    """
    for _ in range(REDIRECTS + 1):
        parts = _parse(url)
        with _asking(parts, settings, trusted) as answer:
            if answer.status in REDIRECTED and (place := answer.getheader("Location")):
                url = urljoin(url, place)
                continue
            if answer.status != HTTPStatus.OK:
                raise Unavailable(f"{parts.hostname} answered with {answer.status}")
            copy(answer, file, limit, check)
            return
    raise Unavailable(f"{url} redirects too often")


def _parse(url: str) -> SplitResult:
    """Return the parts of an https URL without a login. Raises InvalidName."""
    try:
        parts = urlsplit(url)
        is_plain = url.isascii() and url.isprintable() and " " not in url and parts.port != 0
    except ValueError:  # a port or an address that is none
        parts, is_plain = SplitResult("", "", "", "", ""), False
    if not is_plain or parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise InvalidName(f"{url!a} is not an https URL", hint="Give https://HOST/PATH")
    return parts


@contextmanager
def _asking(
    parts: SplitResult, settings: Settings, trusted: Container[str]
) -> Iterator[http.client.HTTPResponse]:
    host, port = str(parts.hostname), parts.port or 443
    bundle = settings.ca_bundle
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    context = ssl.create_default_context(cafile=str(bundle) if bundle.is_file() else None)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    try:
        plain = connect(host, port, SECONDS, settings, private=host in trusted)
        with plain, context.wrap_socket(plain, server_hostname=host) as connection.sock:
            connection.request("GET", path, headers={"User-Agent": "paas"})
            yield connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{host}: {error or type(error).__name__}") from error
    finally:
        connection.close()


def copy(source: Readable, file: BinaryIO, limit: int, check: Check) -> None:
    """Copy all of `source`; `check` raises when the disk has no room for more.

    Raises SourceRefused for more than `limit` bytes.
    """
    size = 0
    while piece := source.read(PIECE):
        check()
        size += len(piece)
        if size > limit:
            raise SourceRefused(f"The file has more than {limit / 1e6:,.0f} MB")
        file.write(piece)
