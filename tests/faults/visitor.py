"""A client that goes on all the time: GET and POST, over new and kept connections, no retry."""

import contextlib
import http.client
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

TIMEOUT = 30.0
LANES = tuple(itertools.product(("GET", "POST"), ("new", "kept")))
SHOWN = 5  # losses that are told in full


@dataclass
class Visitor:
    """Visits one host through nginx with `rate` requests a second in all."""

    port: int
    host: str
    rate: float = 20.0
    answered: int = 0
    lost: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    _resting: threading.Event = field(default_factory=threading.Event)
    _meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(len(LANES) + 1))
    _stop: threading.Event = field(default_factory=threading.Event)
    _count: threading.Lock = field(default_factory=threading.Lock)

    @contextlib.contextmanager
    def visiting(self) -> Iterator[None]:
        """Visit while the body runs."""
        self._stop.clear()
        threads = [threading.Thread(target=self._visit, args=lane) for lane in LANES]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(2 * TIMEOUT)

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """Send nothing while the body runs, because nobody can answer: nginx is away."""
        self._resting.set()
        self._meeting.wait(2 * TIMEOUT)  # each lane comes once its request is answered
        try:
            yield
        finally:
            self._resting.clear()
            self._meeting.wait(2 * TIMEOUT)

    def complaint(self) -> str:
        """Return what was lost in one line, "" if nothing was."""
        return f"{len(self.lost)} lost: {'; '.join(self.lost[:SHOWN])}" if self.lost else ""

    def _visit(self, method: str, kind: str) -> None:
        pause = len(LANES) / self.rate
        due = time.monotonic()
        connection = self._connect()
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + pause, time.monotonic() - 1)
            if self._resting.is_set():
                connection.close()
                self._meeting.wait()
                self._meeting.wait()  # until the rest is over
                due = time.monotonic()
                continue
            self._ask(connection, method, kind)
            if kind == "new":
                connection.close()
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, method: str, kind: str) -> None:
        """Send one request; http.client opens a new connection where nginx announced an end."""
        body = f"{time.monotonic_ns()}" if method == "POST" else None
        at = time.strftime("%H:%M:%S")
        try:
            connection.request(method, "/", body, {"Host": self.host})
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self._lose(f"{at} {method} {kind}: {error!r}")
            return
        if answer.status != http.HTTPStatus.OK or (body and text != body):
            self._lose(f"{at} {method} {kind}: {answer.status}")
            return
        with self._count:
            self.answered += 1
            if not body:
                self.seen.add(text)

    def _lose(self, what: str) -> None:
        with self._count:
            self.lost.append(what)

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT)
