"""One look at a web process from the host: a request as nginx would send it, and what came back."""

import io
import re
import socket
import time
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import cast

from paas.manifest import Check

CONNECT = 1.0  # seconds; the container is on this host
ANSWER = 5.0  # seconds for the status line, unless a check says otherwise
PAUSE = 0.5  # seconds after a bad answer: each look may cost the app a traceback
DRAIN = 0.5  # seconds to read on, so that the app does not see a broken pipe
BODY = 64 * 1024  # bytes read at most
LENIENT = Check(attempts=1_000_000, timeout=ANSWER, wait=PAUSE)  # what holds without a check
STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})\b")


@dataclass(frozen=True)
class Look:
    """What one look from the host saw: an HTTP status, or what went wrong."""

    status: int = 0
    problem: str = ""  # "" while the port is closed, and with an answer that says all it should

    @property
    def has_opened(self) -> bool:
        """Whether somebody accepted the connection."""
        return bool(self.status or self.problem)


def look_at(address: str, port: int, host: str, check: Check) -> Look:
    """GET the check's path once (RFC 9112), following nothing; at most its timeout and 64 KiB."""
    deadline = time.monotonic() + check.timeout
    try:
        sock = socket.create_connection((address, port), CONNECT)
    except OSError:
        return Look()
    with sock:
        try:
            sock.sendall(_request(host, check.path or "/"))
            head = _read(sock, deadline, until=b"\n")
        except TimeoutError:
            return Look(problem=f"did not answer within {check.timeout:.0f} s")
        except OSError:
            head = b""
        look = _parse(head)
        if look.status and check.content:
            return _look_for(check.content, look, head + _read_rest(sock, deadline, len(head)))
        if look.status:
            _read_rest(sock, time.monotonic() + DRAIN, len(head))
        return look


def is_good(look: Look, check: Check) -> bool:
    """Whether an answer is what the check wants."""
    if look.problem:
        return False
    if check.path is None:
        return 0 < look.status < 500  # noqa: PLR2004 - RFC 9110: 5xx is the server's fault
    return 200 <= look.status < 400  # noqa: PLR2004 - as above: success or redirect


def describe(look: Look, path: str) -> str:
    """Say what a look saw."""
    if look.status:
        return f"answered {look.status} on {path} {look.problem}".rstrip()
    return look.problem or "did not open its port"


def _request(host: str, path: str) -> bytes:
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: paas-health",
        "Accept: */*",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _read(sock: socket.socket, deadline: float, until: bytes) -> bytes:
    """Read to the end of the first line. The deadline holds for all of it: bytes may drip."""
    data = b""
    while until not in data and len(data) < BODY:
        sock.settimeout(max(deadline - time.monotonic(), 0.001))
        piece = sock.recv(4096)
        if not piece:
            break
        data += piece
    return data


def _read_rest(sock: socket.socket, deadline: float, have: int) -> bytes:
    """Read on to the end, within limits. Who does not want it lets the app finish its answer."""
    rest = b""
    try:
        while have + len(rest) < BODY and time.monotonic() < deadline:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            piece = sock.recv(4096)
            if not piece:
                break
            rest += piece
    except OSError:
        return rest
    return rest


def _look_for(content: str, look: Look, answer: bytes) -> Look:
    """Return the look with a problem if the answer's body lacks the content."""
    response = HTTPResponse(cast("socket.socket", _Received(answer)))
    try:
        response.begin()
        body = response.read()
    except (HTTPException, ValueError, OSError) as error:
        body = getattr(error, "partial", b"")
    if content.encode() in body:
        return look
    return Look(look.status, f"without {content[:80]!r}")


class _Received:
    """What http.client asks of a socket, for an answer that has been read."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def _parse(head: bytes) -> Look:
    if found := STATUS_LINE.match(head):
        return Look(status=int(found[1]))
    if head:
        return Look(problem="answered something that is not HTTP")
    return Look(problem="closed the connection without an answer")
