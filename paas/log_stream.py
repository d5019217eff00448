"""An app's log lines as they come, whichever processes take over: told, never polled.

A thread per container sits in one blocking read. Whatever changes the database rings a bell: then
new processes are followed from their first line, beside the old ones until those have ended. The
engine's events are written to the database too, so a process that starts again rings as well.
"""

import heapq
import queue
import select
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Self

from paas.errors import PaasError
from paas.model import App, Container, ContainerRole, ProcessState
from paas.platform import Platform
from paas.schedulers.base import LogLine
from paas.state.base import Ear

BACKLOG = 1000  # lines that wait for a slow reader; the engine keeps the rest


@dataclass(frozen=True)
class Ended:
    """A container has written its last line, for now."""

    container_id: str


class LogStream:
    """The lines of an app, of one process type (`web`), or of one process (`web.1`)."""

    def __init__(self, platform: Platform, app: App, process: str | None) -> None:
        self._platform = platform
        self._app = app
        self._process = process
        self._told = 0  # the id of the last line of paas itself
        self._last: dict[str, float] = {}  # container id -> time of its last line
        self._seen: set[str] = set()  # containers that are read, were read, or are not wanted
        self._ended: set[str] = set()  # containers that were read to their end, for now
        self._news: queue.Queue[tuple[str, LogLine] | Ended] = queue.Queue(BACKLOG)

    def rows(self, *roles: ContainerRole) -> dict[str, str]:
        """Return {container id: process} of the processes that were asked for; CURRENT ones."""
        rows = self._platform.store.containers.of(self._app.id)
        wanted = roles or (ContainerRole.CURRENT,)
        return {
            row.id: row.process
            for row in rows
            if row.id and row.role in wanted and is_wanted(row, self._process)
        }

    def history(self, lines: int) -> list[LogLine]:
        """Return the last lines of the current processes, and of paas, by time."""
        return self._history(self.rows(), lines)

    def follow(self, lines: int) -> Iterator[LogLine]:
        """Yield the history, then what comes, for ever. Raises NotFound when the app is destroyed.

        The threads end with their containers, or with the process.
        """
        with (
            closing(self._platform.store.events.listen()) as ear,  # before the first look
            _Waker() as waker,
        ):
            self._seen = set(self.rows(ContainerRole.DRAINING))
            rows = self.rows()
            yield from self._history(rows, lines)
            self._read_all(rows, waker)
            yield from self._look(waker)
            while True:
                waker.wait(ear)
                yield from self._arrived()
                yield from self._look(waker)

    def _history(self, rows: Mapping[str, str], lines: int) -> list[LogLine]:
        found: list[list[LogLine]] = []
        for container_id, process in rows.items():
            asked = {container_id: process}
            logs = self._platform.scheduler.logs(asked, max(lines, 1), follow=False)
            found.append(list(logs))
            self._last[container_id] = found[-1][-1].at if found[-1] else 0.0
        merged = heapq.merge(*found, self._own_lines(lines), key=lambda line: line.at)
        return list(merged)[-lines:] if lines else []

    def _arrived(self) -> Iterator[LogLine]:
        """Yield what the threads have read; note which have come to an end."""
        with suppress(queue.Empty):
            while True:
                match self._news.get_nowait():
                    case Ended(container_id):
                        self._ended.add(container_id)
                    case (container_id, line):
                        self._last[container_id] = line.at
                        yield line

    def _look(self, waker: "_Waker") -> Iterator[LogLine]:
        """Yield what paas itself has to say; read the processes that nobody reads yet.

        One that was replaced between two looks has lines too.
        """
        self._platform.store.apps.by_id(self._app.id)
        yield from self._own_lines(BACKLOG)
        rows = self.rows(ContainerRole.CURRENT, ContainerRole.DRAINING)
        new = {id_: process for id_, process in rows.items() if id_ not in self._seen}
        again = {id_: rows[id_] for id_ in self._ended & rows.keys() if self._runs(id_)}
        self._read_all(new | again, waker)

    def _read_all(self, rows: Mapping[str, str], waker: "_Waker") -> None:
        for container_id, process in rows.items():
            self._seen.add(container_id)
            self._ended.discard(container_id)
            args = (container_id, process, self._last.get(container_id, 0.0), waker)
            threading.Thread(target=self._read, args=args, daemon=True).start()

    def _runs(self, container_id: str) -> bool:
        return self._platform.scheduler.inspect(container_id).state is ProcessState.RUNNING

    def _read(self, container_id: str, process: str, after: float, waker: "_Waker") -> None:
        try:
            logs = self._platform.scheduler.logs(
                {container_id: process}, None, follow=True, after=after
            )
            for line in logs:
                self._news.put((container_id, line))
                waker.wake()
        except PaasError:  # the engine went away: who starts again is told of, and read then
            pass
        finally:
            self._news.put(Ended(container_id))
            waker.wake()

    def _own_lines(self, lines: int) -> list[LogLine]:
        found = self._platform.store.journal.read(self._app.id, lines, self._told)
        self._told = max((line.id for line in found), default=self._told)
        wanted = self._process or ""
        return [
            LogLine(line.at, "paas", line.text, is_stderr=False)
            for line in found
            if line.text.startswith(wanted)
        ]


class _Waker:
    """Lets the reading threads wake the one that prints, which waits for the bell as well."""

    def __init__(self) -> None:
        self._heard, self._rung = socket.socketpair()
        for end in (self._heard, self._rung):
            end.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._heard.close()
        self._rung.close()

    def wake(self) -> None:
        with suppress(OSError):  # full: it is awake; closed: nobody prints any more
            self._rung.send(b".")

    def wait(self, ear: Ear) -> None:
        """Wait for a thread, or for the bell."""
        select.select([self._heard.fileno(), ear.fileno()], [], [])
        ear.wait(0)
        with suppress(BlockingIOError):
            self._heard.recv(65536)


def is_wanted(row: Container, process: str | None) -> bool:
    """Whether a process is of this type, or is this one; None means any."""
    return process is None or process in {row.process, row.process_type}
