"""Reading what containers wrote: history merged by time, then live lines as they come."""

import heapq
import queue
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import requests
from docker.types import CancellableStream

from paas.reporter import clean
from paas.schedulers.base import LogLine
from paas.schedulers.engine import TIMEOUT, Engine
from paas.schedulers.streams import STDERR, read_frames

GONE = {404, 409}  # removed, or being removed
SECOND = 1_000_000_000
ROUNDING = 512  # nanoseconds: more than a time of today loses as a float, there and back
BACKLOG = 1000  # lines that wait for a slow reader; the engine keeps the rest


@dataclass(frozen=True, order=True)
class Stamped:
    """A line with the engine's time in nanoseconds: floats would lose the order."""

    at: int
    process: str
    text: str
    is_stderr: bool

    def line(self) -> LogLine:
        return LogLine(self.at / SECOND, self.process, self.text, self.is_stderr)


def tail(engine: Engine, container_id: str, lines: int) -> tuple[str, ...]:
    """Return the last lines of one container, by time."""
    return tuple(line.text for line in _history(engine, container_id, "", lines))


def read_logs(
    engine: Engine,
    containers: Mapping[str, str],
    lines: int | None,
    *,
    follow: bool,
    after: float = 0.0,
) -> Iterator[LogLine]:
    """Yield the last `lines` lines of all containers together (None: all), then follow.

    Only lines later than `after`, in seconds. Following ends when every container has
    ended, or when the generator is closed.
    """
    since = last_nanosecond(after)
    last = dict.fromkeys(containers, since)
    histories = [_history(engine, id_, name, lines, since) for id_, name in containers.items()]
    for id_, history in zip(containers, histories, strict=True):
        last[id_] = history[-1].at if history else since
    merged = heapq.merge(*histories)
    for line in merged if lines is None else deque(merged, maxlen=lines):
        yield line.line()
    if follow:
        yield from _follow(engine, containers, last)


def last_nanosecond(at: float) -> int:
    """Return the last nanosecond that is this time as a float: what comes later was not seen."""
    found = round(at * SECOND) + ROUNDING if at else 0
    while found / SECOND > at:
        found -= 1
    return found


def _history(
    engine: Engine, container_id: str, process: str, lines: int | None, since: int = 0
) -> list[Stamped]:
    """Return what stands in the log. stdout and stderr are stored in order of arrival."""
    query = {"tail": "all" if lines is None else str(lines), **_since(since)}
    with engine.answering(), _get(engine, container_id, query) as response:
        return [line for line in _stamped(response, process) if line.at > since]


def _follow(
    engine: Engine, containers: Mapping[str, str], last: Mapping[str, int]
) -> Iterator[LogLine]:
    """Yield new lines as they come: one thread per container sits in one blocking read."""
    lines: queue.Queue[Stamped | None] = queue.Queue(BACKLOG)
    with ExitStack() as stack:
        for id_, process in containers.items():
            with engine.answering():
                response = _get(engine, id_, {"follow": "1", **_since(last[id_])})
            stack.enter_context(response)
            args = (response, process, last[id_], lines)
            thread = threading.Thread(target=_pump, args=args, daemon=True)
            thread.start()
            stack.callback(_join, thread, lines)
            stack.callback(_cut, response)
        open_streams = len(containers)
        while open_streams:
            line = lines.get()
            if line is None:
                open_streams -= 1
            else:
                yield line.line()


def _pump(
    response: requests.Response,
    process: str,
    after: int,
    lines: "queue.Queue[Stamped | None]",
) -> None:
    try:
        for line in _stamped(response, process):
            if line.at > after:
                lines.put(line)
    except (OSError, ValueError, requests.RequestException, AttributeError):
        pass  # the reader closed the stream, or the engine went away: both end it
    finally:
        lines.put(None)


def _join(thread: threading.Thread, lines: "queue.Queue[Stamped | None]") -> None:
    """Wait for the end of a thread that may be waiting for room."""
    while thread.is_alive():
        with suppress(queue.Empty):
            lines.get_nowait()
        thread.join(0.01)


def _cut(response: requests.Response) -> None:
    """Wake the thread that reads the response: closing alone does not interrupt a read."""
    try:
        CancellableStream(iter(()), response).close()
    except (OSError, AttributeError):  # it has ended by itself
        return


def _get(engine: Engine, container_id: str, query: Mapping[str, str]) -> requests.Response:
    api = engine.api
    response = api.get(
        f"{api.base_url}/v{api.api_version}/containers/{container_id}/logs",
        params={"stdout": "1", "stderr": "1", "timestamps": "1", **query},
        stream=True,
        timeout=(TIMEOUT, None if "follow" in query else TIMEOUT),
    )
    if response.status_code not in GONE:
        response.raise_for_status()
    return response


def _since(at: int) -> dict[str, str]:
    return {"since": f"{at // SECOND}.{at % SECOND:09d}"} if at else {}


def _stamped(response: requests.Response, process: str) -> Iterator[Stamped]:
    if response.status_code in GONE:
        return
    for number, data in read_frames(response.raw):
        for raw in data.decode(errors="replace").splitlines():
            stamp, _, text = raw.partition(" ")
            yield Stamped(_nanoseconds(stamp), process, clean(text), number == STDERR)


def _nanoseconds(stamp: str) -> int:
    """Parse RFC 3339 with nine digits, always in UTC: 2026-11-20T21:40:00.123456789Z."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp())
    return seconds * SECOND + int(fraction.ljust(9, "0")[:9] or 0)
