"""What the engine's events say beyond what can be seen afterwards, for as long as it matters."""

import time
from collections.abc import Callable, Sequence

from paas.repair import Told
from paas.schedulers.base import Change, Event

FRESH = 60.0  # seconds between a signal, or an exit code, and the repair that wants to know
DAMAGE = {Change.ENDED, Change.REMOVED, Change.RENAMED, Change.PAUSED}


class Hearing:
    """Remembers who was sent a signal, and who ended with which code."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._signalled: dict[str, float] = {}
        self._codes: dict[str, tuple[float, int]] = {}

    def hear(self, events: Sequence[Event]) -> frozenset[str]:
        """Take in events; return the ids of the containers that may need a hand."""
        now = self._clock()
        for event in events:
            if event.change is Change.SIGNALLED:
                self._signalled[event.container_id] = now
            elif event.exit_code is not None:
                self._codes[event.container_id] = now, event.exit_code
        return frozenset(event.container_id for event in events if event.change in DAMAGE)

    def told(self) -> Told:
        """Return what was heard a moment ago; what is older is forgotten."""
        oldest = self._clock() - FRESH
        self._signalled = {id_: at for id_, at in self._signalled.items() if at > oldest}
        self._codes = {id_: (at, code) for id_, (at, code) in self._codes.items() if at > oldest}
        return Told(frozenset(self._signalled), {id_: c for id_, (_, c) in self._codes.items()})
