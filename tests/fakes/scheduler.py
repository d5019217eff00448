"""A scheduler on an engine without Docker: it notes what it was told, and can be made to fail."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from paas.errors import Conflict, DiskFull, ImageMissing, StartFailed
from paas.model import App, Finding, ProcessState
from paas.network import Link, SharedNetwork
from paas.schedulers.base import (
    Beside,
    Change,
    Exit,
    Listener,
    LogLine,
    Observed,
    ProcessSpec,
    Streams,
    Usage,
)
from tests.fakes.engine import FakeEngine, Program, memory_of
from tests.fakes.watch import FakeWatch


class FakeScheduler(FakeEngine):
    """Implements paas.schedulers.base.Scheduler in memory."""

    def __init__(
        self, instance: str = "paas", programs: Mapping[str | None, Program] | None = None
    ) -> None:
        super().__init__(instance)
        self.programs = dict(programs or {})
        self.disk_is_full = False
        self.stored: dict[str, tuple[int, int | None]] = {}  # volume -> size, owner
        self.networks: set[int] = set()
        self.open_connections: dict[str, int] = {}
        self.started: list[ProcessSpec] = []
        self.ran: list[ProcessSpec] = []
        self.baked: dict[str, ProcessSpec] = {}  # image -> what made it
        self.attached: list[tuple[ProcessSpec, Beside | None]] = []
        self.execs: list[tuple[str, tuple[str, ...]]] = []
        self.looks = 0  # at the usage of containers

    def check(self) -> tuple[Finding, ...]:
        level = "fail" if self.is_down else "ok"
        return (Finding("engine", level, "fake engine"),)

    def create_network(self, app: App) -> None:
        self._answer()
        self.networks.add(app.id)

    def create_shared(self, network: SharedNetwork) -> None:
        self._answer()
        self._make_shared(network.name)

    def remove_shared(self, network: SharedNetwork) -> None:
        self._answer()
        if self.shared.get(network.name):
            raise Conflict(f"The network {network.name} is in use")
        self.shared.pop(network.name, None)

    def link(self, container_id: str, link: Link) -> None:
        self._answer()
        self._join(container_id, link)

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

    def run_once(self, spec: ProcessSpec, output: Callable[[bytes], None], timeout: float) -> Exit:
        self._answer()
        self.ran.append(spec)
        program = self.programs.get(spec.command, Program(exit_code=0))
        for line in (*program.stdout, *program.stderr):
            output(f"{line[:5]}".encode())  # as the engine: a piece is no line
            output(f"{line[5:]}\n".encode())
        if program.exit_code is None:
            raise StartFailed(f"The {spec.process_type} command did not end within {timeout:.0f} s")
        return _ended(spec, program)

    def bake(
        self,
        spec: ProcessSpec,
        output: Callable[[bytes], None],
        timeout: float,
        made: Callable[[str], object],
    ) -> Exit:
        if self.images is not None and spec.image not in self.images:
            raise ImageMissing(f"No such image: {spec.image}", hint=f"ps:rebuild {spec.app.name}")
        ended = self.run_once(spec, output, timeout)
        if ended.status == 0:
            image = f"sha256:{next(self._ids):064x}"
            self.baked[image] = spec
            self._keep_image(image, made)
        return ended

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
    ) -> Exit:
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
                return _ended(spec, program)
            return Exit(_run_here(("sh", "-c", spec.command or "exit 1"), streams))
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

    def host_user(self, app: App) -> int:
        return app.uid

    def volume_usage(self, name: str) -> tuple[int, int]:
        return (0, self.stored[name][0]) if name in self.stored else (0, 0)

    def remove_volume(self, name: str) -> None:
        if any(m.volume == name for c in self.running.values() for m in c.spec.mounts):
            raise Conflict(f"A process still sees the volume {name}")
        self.stored.pop(name, None)


def _ended(spec: ProcessSpec, program: Program) -> Exit:
    status = program.exit_code or 0
    return Exit(status, memory_of(spec) if status and program.oom_killed else 0)


def _run_here(argv: Sequence[str], streams: Streams) -> int:
    return subprocess.run(
        argv,
        stdin=subprocess.DEVNULL if streams.stdin is None else streams.stdin,
        stdout=streams.stdout,
        stderr=streams.stderr,
        timeout=30,
        check=False,
    ).returncode
