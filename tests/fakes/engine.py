"""Docker Engine without Docker: containers in memory, whose programs are scripted per command.

Web programs really answer HTTP. Give it settings whose network is inside 127.0.0.0/8: then a
container's address can be served from this machine, and paas.health works on it unchanged.
"""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from paas.errors import EngineUnavailable, StartFailed
from paas.model import ProcessState
from paas.network import Link
from paas.reporter import clean
from paas.schedulers.base import (
    Change,
    Event,
    Listener,
    LogLine,
    Observed,
    ProcessSpec,
    process_name,
)
from tests.fakes.watch import FakeWatch


@dataclass(frozen=True)
class Program:
    """What a command does in the fake. The default is a healthy web process."""

    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()
    exit_code: int | None = None  # None: it runs on
    oom_killed: bool = False
    status: int | None = 200  # of its HTTP answers; None: it opens no port
    listens: tuple[Listener, ...] = ()  # what listeners() says; nothing is opened for these
    refused: str = ""  # what the engine says instead of starting it


@dataclass
class Running:
    """One fake container."""

    spec: ProcessSpec
    program: Program
    seen: Observed
    log: list[LogLine] = field(default_factory=list)
    kept: bool = False
    server: ThreadingHTTPServer | None = None


def memory_of(spec: ProcessSpec) -> int:
    """Return the limit of its memory in bytes."""
    return spec.resources.memory or spec.options.memory or 512 * 1024 * 1024


class FakeEngine:
    """What happens to containers by itself, and by hands that are not ours."""

    def __init__(self, instance: str = "paas") -> None:
        self.instance = instance
        self.images: set[str] | None = None  # None: every image exists
        self.is_down = False
        self.head_start = 0.0  # seconds that a process counts as up when it starts
        self.shared: dict[str, dict[str, Link]] = {}  # network -> container -> its place
        self.range_is_taken = False
        self.running: dict[str, Running] = {}
        self.watches = list[FakeWatch]()
        self._ids = itertools.count(1)
        self._changed = threading.Condition()

    def crash(self, container_id: str, code: int = 137) -> None:
        """Let the process die by itself; a kept one comes back."""
        container = self.running[container_id]
        self._end(container, code)
        if container.kept:
            container.seen = replace(container.seen, restarts=container.seen.restarts + 1)
            self._run_again(container)

    def remove_by_hand(self, container_id: str) -> None:
        """Remove a container behind our back."""
        self._tell(container_id, Change.SIGNALLED)
        self._remove(container_id)

    def stop_by_hand(self, container_id: str) -> None:
        """Stop a container behind our back: a kept one too stays down."""
        self._tell(container_id, Change.SIGNALLED)
        self._end(self.running[container_id], 143)
        self._tell(container_id, Change.STOPPED)

    def unlink_by_hand(self, container_id: str, network: str) -> None:
        """Take a container off a shared network behind our back."""
        container = self.running[container_id]
        gone = {f"{self.instance}-net-{network}"}
        container.seen = replace(container.seen, beside=container.seen.beside - gone)
        self.shared.get(network, {}).pop(container_id, None)

    def pause_by_hand(self, container_id: str) -> None:
        """Freeze a container behind our back."""
        container = self.running[container_id]
        container.seen = replace(container.seen, state=ProcessState.PAUSED)
        self._tell(container_id, Change.PAUSED)

    def rename_by_hand(self, container_id: str, name: str) -> None:
        """Give a container another name behind our back."""
        container = self.running[container_id]
        container.seen = replace(container.seen, name=name)
        self._tell(container_id, Change.RENAMED)

    def has_image(self, image: str) -> bool:
        """Whether there is such an image."""
        return self.images is None or image in self.images

    def remove_image(self, image: str) -> None:
        """Remove an image behind our back."""
        if self.images is not None:
            self.images.discard(image)

    def cut_watches(self) -> None:
        """End all streams of events, as an engine that stops does."""
        for watch in self.watches:
            watch.cut()
        self.watches.clear()

    def say(self, container_id: str, text: str, *, is_stderr: bool = False) -> None:
        """Let a container write a line."""
        container = self.running[container_id]
        process = f"{container.spec.process_type}.{container.spec.slot}"
        with self._changed:
            container.log.append(LogLine(time.time(), process, clean(text), is_stderr))
            self._changed.notify_all()

    def close(self) -> None:
        """Stop all servers and streams."""
        for watch in self.watches:
            watch.close()
        self.watches.clear()
        for container_id in list(self.running):
            self._remove(container_id)

    def _answer(self) -> None:
        if self.is_down:
            raise EngineUnavailable("Docker Engine does not answer", hint="Run: paas doctor")

    def _name(self, spec: ProcessSpec) -> str:
        parts = (spec.app.name, spec.process_type, spec.slot, spec.deploy_id)
        return process_name(self.instance, *parts)

    def _begin(self, spec: ProcessSpec, program: Program) -> str:
        container_id = f"{next(self._ids):064x}"
        seen = Observed(
            container_id,
            self._name(spec),
            ProcessState.RUNNING,
            oom_killed=program.oom_killed,
            started_at=time.time() - self.head_start,
            pid=1,
            address=spec.address,
            memory=memory_of(spec),
        )
        container = Running(spec, program, seen)
        self.running[container_id] = container
        for link in spec.links:
            self._join(container_id, link)
        self._run(container)
        return container_id

    def _make_shared(self, network: str) -> None:
        if self.range_is_taken:
            raise StartFailed(f"The network {network} cannot be made")
        self.shared.setdefault(network, {})

    def _join(self, container_id: str, link: Link) -> None:
        self._make_shared(link.network.name)
        if container := self.running.get(container_id):
            self.shared[link.network.name].setdefault(container_id, link)
            name = f"{self.instance}-net-{link.network.name}"
            container.seen = replace(container.seen, beside=container.seen.beside | {name})

    def _run_again(self, container: Running) -> None:
        container.seen = replace(
            container.seen,
            state=ProcessState.RUNNING,
            exit_code=None,
            started_at=time.time(),
            pid=1,
        )
        self._run(container)

    def _run(self, container: Running) -> None:
        container_id, program = container.seen.id, container.program
        self._tell(container_id, Change.STARTED)
        for text in program.stdout:
            self.say(container_id, text)
        for text in program.stderr:
            self.say(container_id, text, is_stderr=True)
        if program.exit_code is not None:
            self._end(container, program.exit_code)
        elif program.status is not None and container.spec.address.startswith("127."):
            container.server = serve(container.spec.address, container.spec.port, program.status)

    def _tell(self, container_id: str, change: Change, exit_code: int | None = None) -> None:
        container = self.running.get(container_id)
        for watch in self.watches:
            name = container.seen.name if container else ""
            watch.tell(Event(container_id, change, exit_code, name))

    def _end(self, container: Running, code: int) -> None:
        if container.seen.state is ProcessState.EXITED:
            return
        with self._changed:
            container.seen = replace(
                container.seen,
                state=ProcessState.EXITED,
                exit_code=code,
                finished_at=time.time(),
                pid=0,
            )
            self._changed.notify_all()
        if container.server:
            container.server.shutdown()
            container.server.server_close()
            container.server = None
        self._tell(container.seen.id, Change.ENDED, code)

    def _remove(self, container_id: str) -> None:
        container = self.running.pop(container_id, None)
        for places in self.shared.values():
            places.pop(container_id, None)
        if container:
            self._end(container, 143)
            self._tell(container_id, Change.REMOVED)

    def _lines_of(self, containers: Mapping[str, str]) -> Iterator[LogLine]:
        for container_id, process in containers.items():
            if container_id in self.running:
                for line in self.running[container_id].log:
                    yield replace(line, process=process)

    def _wait_for_more(self, containers: Mapping[str, str], told: int) -> bool:
        """Wait for a line that was not told yet; False when all containers have ended."""
        with self._changed:
            while len(list(self._lines_of(containers))) <= told:
                alive = [i for i in containers if i in self.running and self.running[i].seen.pid]
                if not alive:
                    return False
                self._changed.wait(1)
        return True


def serve(address: str, port: int, status: int) -> ThreadingHTTPServer:
    """Answer every GET with `status` on a real socket, until shut down."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            with contextlib.suppress(OSError):  # the client may leave
                self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            return

    server = ThreadingHTTPServer((address, port), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server
