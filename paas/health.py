"""Waiting until a new process is healthy; when it is not, saying exactly why.

Healthy is one answer below 500 on `/`; with a check path 2xx or 3xx, and the check's words in the
body; three in a row only after a failure was seen.
"""

import io
import re
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import cast

from paas.errors import StartFailed
from paas.manifest import Check
from paas.model import App, Container, ProcessState
from paas.schedulers.base import Listener, Observed, Scheduler
from paas.walls import recognise

POLL = 0.05  # seconds between looks while the port is closed; the first ones are closer
PAUSE = 0.5  # seconds after a bad answer: each look may cost the app a traceback
CONNECT = 1.0  # seconds; the container is on this host
ANSWER = 5.0  # seconds for the status line, unless a check says otherwise
DRAIN = 0.5  # seconds to read on, so that the app does not see a broken pipe
BODY = 64 * 1024  # bytes read at most
IN_A_ROW = 3
GRACE = 1.0  # seconds a process without port must stay up: import errors and typos show by then
TAIL = 20  # lines of log that a failure shows
MB = 1024 * 1024
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


def wait(  # noqa: PLR0913, PLR0917 - the six things that a check needs, each of its own kind
    scheduler: Scheduler,
    container: Container,
    app: App,
    host: str,
    timeout: float,
    check: Check | None = None,
) -> float:
    """Return after how many seconds the web process was healthy. Raises StartFailed.

    `host` goes into the Host header. It ends at once when the container exits, and after the
    check's number of bad answers; a last look that began in time may take its timeout.
    """
    process, check = Process(scheduler, container, app), check or LENIENT
    started = time.monotonic()
    streak, bad, last = 0, 0, Look()
    wait_up(scheduler, container, app, check.delay)
    while (elapsed := time.monotonic() - started) < timeout and bad < check.attempts:
        look = probe(container.address, container.port, host, check)
        if is_good(look, check):
            streak += 1
            if streak >= (IN_A_ROW if bad else 1):
                return time.monotonic() - started
        else:
            process.check_alive()
            bad, last = (bad + 1, look) if look.has_opened else (bad, last)
            streak = 0
        pause = _pause(streak, bad, elapsed, check)
        time.sleep(max(min(pause, timeout - elapsed), 0.0))
    raise process.unhealthy(last, timeout, check.path or "/")


def wait_up(scheduler: Scheduler, container: Container, app: App, grace: float = GRACE) -> None:
    """Return when a process without port has stayed up for `grace` seconds. Raises StartFailed.

    The time since its start counts, so a process that started beside a slower one costs nothing.
    """
    process = Process(scheduler, container, app)
    deadline = time.monotonic() + grace
    while grace > 0:
        observed = process.check_alive()
        age = time.time() - observed.started_at
        if age >= grace or time.monotonic() >= deadline:
            return
        time.sleep(POLL)


def command_failed(name: str, app: App, status: int, tail: Sequence[str]) -> StartFailed:
    """Return the error for a one-off command ("release") that exited with `status`."""
    message = f"The {name} command {_how_it_ended(status)}"
    wall = recognise(tail, app.name)
    return StartFailed(message, details=tuple(tail), hint=str(wall) if wall else _exit_hint(status))


def _pause(streak: int, bad: int, elapsed: float, check: Check) -> float:
    """Return how long to wait for the next look: shortly while the port is closed."""
    if not bad:
        return min(POLL, 0.01 + elapsed / 4)
    return min(PAUSE, check.wait) if streak else check.wait


def probe(address: str, port: int, host: str, check: Check = LENIENT) -> Look:
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


def is_good(look: Look, check: Check = LENIENT) -> bool:
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


@dataclass(frozen=True)
class Process:
    """A new process under observation, and the errors that tell what became of it."""

    scheduler: Scheduler
    container: Container
    app: App

    def check_alive(self) -> Observed:
        """Return what the engine says. Raises StartFailed if the process has ended."""
        observed = self.scheduler.inspect(self.container.id)
        if observed.state is ProcessState.MISSING:
            raise StartFailed(
                f"{self.container.process} vanished: its container was removed", hint="Push again"
            )
        if observed.state is ProcessState.EXITED:
            raise self._exited(observed)
        return observed

    def unhealthy(self, last: Look, timeout: float, path: str) -> StartFailed:
        """Return the error for a process that runs but was not healthy in time."""
        port = self.container.port
        if last.status:
            return self._failure(describe(last, path), "The last lines may name the cause")
        if last.problem:
            return self._failure(f"{last.problem} on port {port}", "Serve plain HTTP/1.1 on $PORT")
        return self._failure(*_closed(self.scheduler.listeners(self.container.id), port, timeout))

    def _exited(self, observed: Observed) -> StartFailed:
        code = observed.exit_code or 0
        if observed.oom_killed:
            limit = observed.memory // MB
            return self._failure(
                f"was killed: out of memory (limit {limit} MB)",
                f"Try: security:set {self.app.name} memory {limit * 2}m",
                look_for_walls=False,
            )
        lived = max(observed.finished_at - observed.started_at, 0.0)
        return self._failure(f"{_how_it_ended(code)} after {lived:.1f} s", _exit_hint(code))

    def _failure(self, what: str, hint: str, *, look_for_walls: bool = True) -> StartFailed:
        lines = self.scheduler.tail(self.container.id, TAIL)
        wall = recognise(lines, self.app.name) if look_for_walls else None
        return StartFailed(
            f"{self.container.process} {what}", details=lines, hint=str(wall) if wall else hint
        )


def _how_it_ended(code: int) -> str:
    """Say how a process ended; shells report a signal as 128 + its number."""
    try:
        return f"was killed by {signal.Signals(code - 128).name}"
    except ValueError:
        return f"exited with code {code}"


def _exit_hint(code: int) -> str:
    if code == 0:
        return (
            "A process must stay in the foreground: start the server itself, not in the background"
        )
    return "Fix what the last lines say, then try again"


def _closed(listeners: Sequence[Listener], port: int, timeout: float) -> tuple[str, str]:
    """Say what listens instead of the port."""
    here = [listener.address for listener in listeners if listener.port == port]
    if here:
        return (
            f"listens on {here[0]} only",
            f"Listen on 0.0.0.0, port $PORT ({port}): another machine cannot reach {here[0]}",
        )
    others = sorted({listener.port for listener in listeners})
    if others:
        found = ", ".join(map(str, others))
        return (
            f"listens on {found}, not $PORT ({port})",
            f"Read the port from the variable PORT, or say EXPOSE {others[0]} in the Dockerfile",
        )
    return (
        f"did not open port {port} in {timeout:.0f} s",
        "Listen on 0.0.0.0, on the port in the variable PORT",
    )
