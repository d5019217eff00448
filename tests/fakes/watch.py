"""A stream of events without an engine: a real descriptor, so that select() works on it."""

import json
import socket

from paas.errors import EngineUnavailable
from paas.schedulers.base import Change, Event


class FakeWatch:
    """See paas.schedulers.base.Watch. `tell` is the engine's side, `cut` its end."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)

    def fileno(self) -> int:
        return self._ours.fileno()

    def read(self) -> tuple[Event, ...]:
        told = b""
        try:
            while piece := self._ours.recv(65536):
                told += piece
        except BlockingIOError:
            pass
        else:
            if not told:
                raise EngineUnavailable("The fake engine tells no events", hint="Run: paas doctor")
        events = (json.loads(line) for line in told.decode().splitlines())
        return tuple(Event(id_, Change(change), *rest) for id_, change, *rest in events)

    def tell(self, event: Event) -> None:
        """Send an event."""
        values = (event.container_id, event.change, event.exit_code, event.name)
        self._theirs.sendall(json.dumps(values).encode() + b"\n")

    def cut(self) -> None:
        """End the stream, as an engine that stops does."""
        self._theirs.close()

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()
