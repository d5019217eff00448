"""Where paas itself may connect to for its users: public addresses, looked up once.

A name is resolved here and the connection is made to that address, so that it cannot become
another one in between.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from paas.errors import InvalidName, SourceRefused, Unavailable

SECONDS = 30.0  # without a byte
PIECE = 1 << 20
REDIRECTS = 3
REDIRECTED = {301, 302, 303, 307, 308}
HINT = "A host inside has to be allowed by the host's owner: git:allow-host HOST"

# IPv6 that leads to an IPv4 address that would have to be looked at (RFC 6052, RFC 3056).
TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"), IPv6Network("2002::/16"))


Check = Callable[[], None]


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
        raise Unavailable(f"{host} has no address") from error
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
        if any(address in network for network in TRANSLATED):
            return False
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_global or (private and (address.is_private or address.is_loopback))


def download(  # noqa: PLR0913, PLR0917 - where from, where to, and what is allowed
    url: str,
    file: BinaryIO,
    limit: int,
    check: Check,
    bundle: Path,
    trusted: Container[str],
) -> None:
    """Write what https gives for `url` into `file`, following at most three redirects.

    `trusted` are the hosts that may be inside; `check` is as for copy(). Raises
    InvalidName for another scheme, Unavailable, SourceRefused for more than `limit` bytes.
    """
    for _ in range(REDIRECTS + 1):
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username is not None:
            raise InvalidName(f"{url!r} is not an https URL", hint="Give https://HOST/PATH")
        with _asking(parts, bundle, trusted) as answer:
            if answer.status in REDIRECTED and (place := answer.getheader("Location")):
                url = urljoin(url, place)
                continue
            if answer.status != HTTPStatus.OK:
                raise Unavailable(f"{parts.hostname} answered with {answer.status}")
            copy(answer, file, limit, check)
            return
    raise Unavailable(f"{url} redirects too often")


@contextmanager
def _asking(
    parts: SplitResult, bundle: Path, trusted: Container[str]
) -> Iterator[http.client.HTTPResponse]:
    host, port = str(parts.hostname), parts.port or 443
    address = find_address(host, port, private=host in trusted, hint=HINT)
    connection = http.client.HTTPConnection(host, port, timeout=SECONDS)
    context = ssl.create_default_context(cafile=str(bundle) if bundle.is_file() else None)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    try:
        plain = socket.create_connection((address, port), SECONDS)
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
