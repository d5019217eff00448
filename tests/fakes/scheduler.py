"""A scheduler without an engine. Programs are scripted per command; web ones really answer HTTP.

Give it settings whose network is inside 127.0.0.0/8: then a container's address can be served from
this machine, and paas.health works on it unchanged.
"""

import contextlib
import itertools
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any

from paas.errors import Conflict, DiskFull, EngineUnavailable, ImageMissing, StartFailed
from paas.model import App, Finding, ProcessState
from paas.network import Link, SharedNetwork
from paas.reporter import clean
from paas.schedulers.base import (
    Beside,
    Change,
    Event,
    Listener,
    LogLine,
    Observed,
    ProcessSpec,
    Streams,
    Usage,
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


class FakeScheduler:
    """Implements paas.schedulers.base.Scheduler in memory."""

    def __init__(
        self, instance: str = "paas", programs: Mapping[str | None, Program] | None = None
    ) -> None:
        self.instance = instance
        self.programs = dict(programs or {})
        self.images: set[str] | None = None  # None: every image exists
        self.is_down = False
        self.disk_is_full = False
        self.stored: dict[str, tuple[int, int | None]] = {}  # volume -> size, owner
        self.networks: set[int] = set()
        self.shared: dict[str, dict[str, Link]] = {}  # network -> container -> its place
        self.range_is_taken = False
        self.open_connections: dict[str, int] = {}
        self.started: list[ProcessSpec] = []
        self.ran: list[ProcessSpec] = []
        self.baked: dict[str, ProcessSpec] = {}  # image -> what made it
        self.attached: list[tuple[ProcessSpec, Beside | None]] = []
        self.execs: list[tuple[str, tuple[str, ...]]] = []
        self.looks = 0  # at the usage of containers
        self.running: dict[str, Running] = {}
        self._ids = itertools.count(1)
        self._changed = threading.Condition()
        self.watches: list[FakeWatch] = []

    # What a test does to it.

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

    # The Scheduler.

    def check(self) -> tuple[Finding, ...]:
        level = "fail" if self.is_down else "ok"
        return (Finding("engine", level, "fake engine"),)

    def create_network(self, app: App) -> None:
        self._answer()
        self.networks.add(app.id)

    def create_shared(self, network: SharedNetwork) -> None:
        self._answer()
        if self.range_is_taken:
            raise StartFailed(f"The network {network.name} cannot be made")
        self.shared.setdefault(network.name, {})

    def remove_shared(self, network: SharedNetwork) -> None:
        self._answer()
        if self.shared.get(network.name):
            raise Conflict(f"The network {network.name} is in use")
        self.shared.pop(network.name, None)

    def link(self, container_id: str, link: Link) -> None:
        self.create_shared(link.network)
        if container := self.running.get(container_id):
            self.shared[link.network.name].setdefault(container_id, link)
            name = f"{self.instance}-net-{link.network.name}"
            container.seen = replace(container.seen, beside=container.seen.beside | {name})

    def unlink(self, app: App, network: SharedNetwork) -> None:
        self._answer()
        for container_id, container in self.running.items():
            if container.spec.app.id == app.id:
                self.unlink_by_hand(container_id, network.name)

    def start(self, spec: ProcessSpec) -> str:
        self._answer()
        program = self.programs.get(spec.command, Program())
        if self.images is not None and spec.image not in self.images:
            raise ImageMissing(f"No such image: {spec.image}", hint=f"ps:rebuild {spec.app.name}")
        if program.refused:
            raise StartFailed(program.refused)
        for leftover in [i for i, c in self.running.items() if c.seen.name == self._name(spec)]:
            self._remove(leftover)
        self.networks.add(spec.app.id)
        self.started.append(spec)
        return self._begin(spec, program)

    def keep(self, container_ids: Sequence[str]) -> None:
        self._answer()
        for container_id in container_ids:
            if container_id in self.running:
                self.running[container_id].kept = True

    def unkeep(self, container_ids: Sequence[str]) -> None:
        self._answer()
        for container_id in container_ids:
            if container_id in self.running:
                self.running[container_id].kept = False

    def park(self, container_id: str, timeout: float) -> None:
        self.unkeep([container_id])
        if container_id in self.running:
            self._tell(container_id, Change.SIGNALLED)
            self._end(self.running[container_id], 143)
            self._tell(container_id, Change.STOPPED)

    def mend(self, container_id: str, name: str) -> bool:
        self._answer()
        container = self.running.get(container_id)
        taken = any(c.seen.name == name for i, c in self.running.items() if i != container_id)
        if container is None or taken or container.program.refused:
            return False
        container.seen = replace(container.seen, name=name)
        if container.seen.state is ProcessState.PAUSED:
            container.seen = replace(container.seen, state=ProcessState.RUNNING)
        if container.seen.state is ProcessState.EXITED:
            self._run_again(container)
        return True

    def watch(self) -> FakeWatch:
        self._answer()
        self.watches.append(FakeWatch())
        return self.watches[-1]

    def has_image(self, image_id: str) -> bool:
        self._answer()
        return self.images is None or image_id in self.images

    def stop(
        self,
        container_ids: Sequence[str],
        timeout: float,
        ended: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._answer()
        for container_id in container_ids:
            if container := self.running.get(container_id):
                was_up = container.seen.state is not ProcessState.EXITED
                self._end(container, 143)
                if was_up:
                    self._tell(container_id, Change.STOPPED)
                ended(container_id)
            self._remove(container_id)

    def run_once(self, spec: ProcessSpec, output: Callable[[bytes], None], timeout: float) -> int:
        self._answer()
        self.ran.append(spec)
        program = self.programs.get(spec.command, Program(exit_code=0))
        for line in (*program.stdout, *program.stderr):
            output(f"{line[:5]}".encode())  # as the engine: a piece is no line
            output(f"{line[5:]}\n".encode())
        if program.exit_code is None:
            raise StartFailed(f"The {spec.process_type} command did not end within {timeout:.0f} s")
        return program.exit_code

    def bake(
        self,
        spec: ProcessSpec,
        output: Callable[[bytes], None],
        timeout: float,
        made: Callable[[str], object],
    ) -> int:
        if self.images is not None and spec.image not in self.images:
            raise ImageMissing(f"No such image: {spec.image}", hint=f"ps:rebuild {spec.app.name}")
        status = self.run_once(spec, output, timeout)
        if status == 0:
            image = f"sha256:{next(self._ids):064x}"
            self.baked[image] = spec
            self._keep_image(image, made)
        return status

    def _keep_image(self, image: str, made: Callable[[str], object]) -> None:
        try:
            made(image)
        except BaseException:
            del self.baked[image]
            raise
        if self.images is not None:
            self.images.add(image)

    def inspect(self, container_id: str) -> Observed:
        self._answer()
        if container_id not in self.running:
            return Observed(container_id, "", ProcessState.MISSING)
        return self.running[container_id].seen

    def containers(self) -> tuple[Observed, ...]:
        self._answer()
        return tuple(container.seen for container in self.running.values())

    def listeners(self, container_id: str) -> tuple[Listener, ...]:
        self._answer()
        container = self.running.get(container_id)
        if container is None or container.seen.state is not ProcessState.RUNNING:
            return ()
        serves = container.program.status is not None
        own = (Listener("0.0.0.0", container.spec.port),) if serves else ()
        return container.program.listens or own

    def connections(self, container_id: str, port: int) -> int:
        self._answer()
        return self.open_connections.get(container_id, 0)

    def tail(self, container_id: str, lines: int) -> tuple[str, ...]:
        self._answer()
        log = self.running[container_id].log if container_id in self.running else []
        return tuple(line.text for line in log[-lines:])

    def logs(
        self,
        containers: Mapping[str, str],
        lines: int | None,
        *,
        follow: bool,
        after: float = 0.0,
    ) -> Iterator[LogLine]:
        self._answer()
        told = sum(1 for line in self._lines_of(containers) if line.at <= after)
        while True:
            known = sorted(self._lines_of(containers), key=lambda line: line.at)
            yield from known[-lines if lines and not told else told :]
            told = len(known)
            if not follow or not self._wait_for_more(containers, told):
                return

    def attach(
        self,
        spec: ProcessSpec,
        streams: Streams,
        created: Callable[[str], object],
        beside: Beside | None = None,
    ) -> int:
        self._answer()
        program = self.programs.get(spec.command, Program(status=None))
        if program.refused:
            raise StartFailed(program.refused)
        self.attached.append((spec, beside))
        spec = replace(spec, links=()) if beside else spec
        container_id = self._begin(spec, replace(program, exit_code=None, status=None))
        try:
            created(container_id)
            if spec.command in self.programs:
                os.write(streams.stdout, "".join(f"{x}\n" for x in program.stdout).encode())
                return program.exit_code or 0
            return _run_here(("sh", "-c", spec.command or "exit 1"), streams)
        finally:
            self._remove(container_id)

    def exec(
        self,
        container_id: str,
        argv: Sequence[str],
        streams: Streams,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> int:
        if self.inspect(container_id).state is not ProcessState.RUNNING:
            raise StartFailed("The process is not running", hint="Run: ps:report APP")
        self.execs.append((container_id, tuple(argv)))
        return _run_here(argv, streams)

    def describe(self, container_id: str) -> Mapping[str, Any]:
        self._answer()
        if container_id not in self.running:
            return {}
        container = self.running[container_id]
        env = [f"{key}={value}" for key, value in container.spec.config.items()]
        return {"Id": container_id, "Name": f"/{container.seen.name}", "Config": {"Env": env}}

    def top(self, container_id: str) -> tuple[tuple[str, ...], ...]:
        if self.inspect(container_id).state is not ProcessState.RUNNING:
            return ()
        return (("PID", "COMMAND"), ("1", str(self.running[container_id].spec.command)))

    def usage(self, container_id: str) -> Usage | None:
        if self.inspect(container_id).state is not ProcessState.RUNNING:
            return None
        self.looks += 1
        return Usage(float(self.looks), self.looks / 2, 5 << 20, 512 << 20, 100, 200, 0, 4096, 3)

    def destroy(self, app: App) -> None:
        self._answer()
        for container_id in [i for i, c in self.running.items() if c.spec.app.id == app.id]:
            self._remove(container_id)
        self.networks.discard(app.id)

    def make_volume(self, name: str, size: int) -> None:
        if name in self.stored:
            raise Conflict(f"There is a volume {name} already")
        if self.disk_is_full:
            raise DiskFull("The disk is full")
        self.stored[name] = (size, None)

    def give_volume(self, name: str, app: App) -> None:
        self.stored[name] = (self.stored[name][0], app.uid)

    def volume_usage(self, name: str) -> tuple[int, int]:
        return (0, self.stored[name][0]) if name in self.stored else (0, 0)

    def remove_volume(self, name: str) -> None:
        if any(m.volume == name for c in self.running.values() for m in c.spec.mounts):
            raise Conflict(f"A process still sees the volume {name}")
        self.stored.pop(name, None)

    # How it does it.

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
            started_at=time.time(),
            pid=1,
            address=spec.address,
            memory=spec.options.memory or 512 * 1024 * 1024,
        )
        container = Running(spec, program, seen)
        self.running[container_id] = container
        for link in spec.links:
            self.link(container_id, link)
        self._run(container)
        return container_id

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


def _run_here(argv: Sequence[str], streams: Streams) -> int:
    return subprocess.run(
        argv,
        stdin=subprocess.DEVNULL if streams.stdin is None else streams.stdin,
        stdout=streams.stdout,
        stderr=streams.stderr,
        timeout=30,
        check=False,
    ).returncode


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
