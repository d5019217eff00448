"""BuildKit through the Engine API: `POST /build?version=2`, the tar as a streamed request body."""

import http.client
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode, urlsplit

from paas.build.context import Context
from paas.disk import watched
from paas.errors import BuildFailed, EngineUnavailable

OK = 200
# Before 27.5, engines with the containerd store ask the network for the uploaded context: no such
# host, or a proxy's 403 (moby#47717).
UPLOAD_BUG = "failed to read downloaded context"
Message = dict[str, Any]


class EngineConnection(http.client.HTTPConnection):
    """One connection to the engine at `unix://path` or `tcp://host:port`. Closing it cancels."""

    def __init__(self, url: str, deadline: float) -> None:
        parts = urlsplit(url)
        super().__init__(parts.hostname or "localhost", parts.port or 80)
        self._path = parts.path if parts.scheme == "unix" else None
        self._deadline = deadline  # of time.monotonic()
        self._open: socket.socket | None = None  # also when http.client has handed it on

    def connect(self) -> None:
        """Connect; raises OSError."""
        if self._path is None:
            super().connect()
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.hurry()
            self.sock.connect(self._path)
        self._open = self.sock

    def abort(self) -> None:
        """Cut the connection, from another thread: whoever reads or writes is woken."""
        if self._open:
            with suppress(OSError):  # it has just ended by itself
                self._open.shutdown(socket.SHUT_RDWR)

    def hurry(self) -> None:
        """Let the next read or write end at the deadline. Raises TimeoutError when it has come."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if self.sock:
            self.sock.settimeout(left)


@dataclass(frozen=True)
class BuildRequest:
    """`POST /build` with these parameters, to this engine (its API's `version`)."""

    engine: str
    version: str
    query: Mapping[str, str]
    timeout: float  # seconds

    def path(self, **more: str) -> str:
        """Return the request's path."""
        return f"/v{self.version}/build?{urlencode({**self.query, **more})}"


def run_build(
    request: BuildRequest,
    context: Context,
    new_feed: Callable[[], Callable[[Message], None]],
    is_short: Callable[[], bool] = lambda: False,
) -> None:
    """Build, giving each message of the engine to a feed; a second try gets a new one.

    The engine's own account of a failure is a message with `error`. Raises BuildFailed when it
    takes too long or the disk `is_short`, EngineUnavailable. When this is left in any way, the
    connection is closed, and the engine stops the build.
    """
    connection = EngineConnection(request.engine, time.monotonic() + request.timeout)
    with watched(is_short, connection.abort) as full:
        try:
            _try_twice(connection, request, context, new_feed)
        except (BuildFailed, EngineUnavailable):
            if not full.is_set():
                raise
    if full.is_set():
        raise BuildFailed(
            "The build was stopped: it fills the host's disk",
            hint="Write less in its steps; if others fill the disk, its owner runs: paas doctor",
        )


def _try_twice(
    connection: EngineConnection,
    request: BuildRequest,
    context: Context,
    new_feed: Callable[[], Callable[[Message], None]],
) -> None:
    try:
        error = _post(connection, request.path(), context, new_feed())
        if UPLOAD_BUG in error:
            with serve_context(context) as url:
                _post(connection, request.path(remote=url), None, new_feed())
    except TimeoutError as error:
        raise BuildFailed(
            f"The build took longer than {request.timeout:.0f} s and was stopped",
            hint="Make it shorter, or ask the host's owner to raise build_timeout.",
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise EngineUnavailable(
            f"Docker Engine went away during the build: {error}", hint="Run: paas doctor"
        ) from error


def _post(
    connection: EngineConnection,
    path: str,
    context: Context | None,
    feed: Callable[[Message], None],
) -> str:
    """Send the request, feed the messages; return the error among them, "" if there is none."""
    error = ""
    with closing(connection):
        _send(connection, path, context)
        with connection.getresponse() as response:
            if response.status != OK:
                raise _refusal(response)
            while line := response.readline():
                message = json.loads(line)
                error = str(message.get("error", error))
                if UPLOAD_BUG not in error or context is None:
                    feed(message)
                connection.hurry()
    return error


def _send(connection: EngineConnection, path: str, context: Context | None) -> None:
    headers = {"Content-Type": "application/x-tar"}
    if context is None:
        connection.request("POST", path, headers=headers)
        return
    headers["Transfer-Encoding"] = "chunked"
    try:
        connection.request(
            "POST", path, body=_hurried(connection, context), headers=headers, encode_chunked=True
        )
    except (BrokenPipeError, ConnectionResetError):
        connection.hurry()  # the engine answered without reading all: the answer says why


def _hurried(connection: EngineConnection, context: Context) -> Iterator[bytes]:
    for chunk in context.stream():
        connection.hurry()
        yield chunk


def _refusal(response: http.client.HTTPResponse) -> EngineUnavailable:
    text = response.read(64 * 1024).decode(errors="replace")
    try:
        text = json.loads(text)["message"]
    except (ValueError, KeyError, TypeError):
        text = text[:500]
    return EngineUnavailable(f"Docker Engine refused the build: {text}", hint="Run: paas doctor")


@contextmanager
def serve_context(context: Context) -> Iterator[str]:
    """Serve the context on loopback under an unguessable URL while the block runs."""
    token = f"/{secrets.token_urlsafe(24)}"

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not secrets.compare_digest(self.path, token):
                self.send_error(404)
                return
            self.send_response(OK)
            self.send_header("Content-Type", "application/x-tar")
            self.end_headers()
            for chunk in context.stream():
                self.wfile.write(chunk)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
            """Say nothing: the token would stand in a log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}{token}"
        finally:
            server.shutdown()
