"""The engine's event stream of one instance, read without ever waiting.

Docker Engine API, "Monitor events": one JSON object per line. It is asked for in HTTP/1.0, so that
the lines come bare and the end of the connection is the end of the stream (RFC 9112, 9.6 and 6.3).
"""

import json
from urllib.parse import urlencode

from paas.engine_api import connect
from paas.errors import EngineUnavailable
from paas.schedulers.base import Change, Event
from paas.settings import Settings

PIECE = 64 * 1024
LINE_LIMIT = 1024 * 1024  # bytes; an event carries the image's labels
CHANGES = frozenset(Change)
DEADLY = frozenset({"2", "3", "9", "15"})  # signals that end a process: INT, QUIT, KILL, TERM


class EngineWatch:
    """See base.Watch. The stream is open when this returns: nothing is missed after that."""

    def __init__(self, settings: Settings, version: str, timeout: float) -> None:
        self._engine = settings.engine
        self._rest = b""
        try:
            self._socket = connect(settings.engine, timeout)
        except OSError as error:
            raise self._gone() from error
        try:
            self._socket.sendall(_request(settings.instance, version))
            self._read_head()
            self._socket.setblocking(False)
        except BaseException as error:
            self._socket.close()
            if isinstance(error, OSError):
                raise self._gone() from error
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> tuple[Event, ...]:
        has_ended = False
        while True:
            try:
                piece = self._socket.recv(PIECE)
            except BlockingIOError:
                break
            except OSError:
                piece = b""
            if not piece:
                has_ended = True
                break
            self._rest += piece
        *lines, self._rest = self._rest.split(b"\n")
        events = tuple(event for line in lines if (event := _parse(line)))
        if len(self._rest) > LINE_LIMIT or (has_ended and not events):
            raise self._gone()
        return events

    def close(self) -> None:
        self._socket.close()

    def _read_head(self) -> None:
        while b"\r\n\r\n" not in self._rest:
            piece = self._socket.recv(PIECE)
            if not piece or len(self._rest) > LINE_LIMIT:
                raise self._gone()
            self._rest += piece
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise self._gone()

    def _gone(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"Docker Engine tells no events at {self._engine}", hint="Run: paas doctor"
        )


def _request(instance: str, version: str) -> bytes:
    filters = {"type": ["container"], "label": [f"paas.instance={instance}"]}
    filters["event"] = sorted(CHANGES)
    query = urlencode({"filters": json.dumps(filters)})
    return f"GET /v{version}/events?{query} HTTP/1.0\r\nHost: docker\r\n\r\n".encode()


def _parse(line: bytes) -> Event | None:
    """Return the event of one line; None for what changes nothing, such as a SIGHUP."""
    try:
        told = json.loads(line)
        actor, action = told["Actor"], told["Action"]
        signal = actor["Attributes"].get("signal", "")
        exit_code = actor["Attributes"].get("exitCode") if action == Change.ENDED else None
        name = str(actor["Attributes"].get("name", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if action not in CHANGES or (action == Change.SIGNALLED and signal not in DEADLY):
        return None
    code = int(exit_code) if exit_code else None
    return Event(str(actor["ID"]), Change(action), code, name)
