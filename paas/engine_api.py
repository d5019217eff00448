"""The first call to an engine, which says whether it is there and which API it speaks.

docker-py would ask `/version`, for which the engine starts other programs to learn their versions:
about 5 ms, and each client in each process asks. The header of `/_ping` says the same at once
(Engine API, "Ping").
"""

import http.client
import socket
from urllib.parse import urlsplit

PORT = 2375  # of an engine on TCP without TLS
PING = b"GET /_ping HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n"


def api_version(url: str, timeout: float) -> str:
    """Return the newest API version of the engine, such as "1.41".

    Raises OSError when nobody answers there, or no engine.
    """
    with connect(url, timeout) as sock:
        sock.sendall(PING)
        with http.client.HTTPResponse(sock) as response:
            try:
                response.begin()
            except http.client.HTTPException as error:
                raise OSError(f"{url} does not answer as an engine does") from error
            version = response.getheader("Api-Version")
    if not version:
        raise OSError(f"{url} does not say which API it speaks")
    return version


def connect(url: str, timeout: float) -> socket.socket:
    """Open a plain connection to the engine. Raises OSError."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return socket.create_connection((parts.hostname or "", parts.port or PORT), timeout)
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(timeout)
    try:
        sock.connect(parts.path)
    except OSError:
        sock.close()
        raise
    return sock
