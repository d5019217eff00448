"""Following logs that are written faster than they are read."""

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from paas.schedulers import docker_logs
from paas.schedulers.docker_logs import BACKLOG, SECOND, Stamped, last_nanosecond
from paas.schedulers.engine import Engine
from tests.contracts.engines import until


class Flood:
    """A container that writes without end, until its stream is cut."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.written = 0
        self.is_cut = threading.Event()
        monkeypatch.setattr(docker_logs, "_history", lambda *_: [])
        monkeypatch.setattr(docker_logs, "_get", lambda *_: contextlib.nullcontext())
        monkeypatch.setattr(docker_logs, "_stamped", lambda *_: self.lines())
        monkeypatch.setattr(docker_logs, "_cut", lambda _: self.is_cut.set())

    def lines(self) -> Iterator[Stamped]:
        while not self.is_cut.is_set():
            self.written += 1
            yield Stamped(self.written, "web.1", "line", is_stderr=False)


def test_a_flood_waits_for_its_reader_and_ends_with_him(monkeypatch: pytest.MonkeyPatch) -> None:
    flood = Flood(monkeypatch)
    engine = Engine("unix:///nowhere")
    lines = docker_logs.read_logs(engine, {"1": "web.1"}, 0, follow=True)
    next(lines)
    assert until(lambda: flood.written, lambda written: written >= BACKLOG) >= BACKLOG
    time.sleep(0.1)  # enough for another 10,000
    assert flood.written <= BACKLOG + 2
    lines.close()  # type: ignore[attr-defined] # it is a generator
    assert flood.is_cut.is_set()


def test_a_line_that_was_seen_is_before_what_comes_later() -> None:
    for at in range(1_795_227_000_123_456_789, 1_795_227_000_123_456_789 + 600, 7):
        last = last_nanosecond(at / SECOND)
        assert at <= last < at + 240  # a float of today is up to 238 ns wide
    assert last_nanosecond(0.0) == 0
