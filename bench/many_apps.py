"""How what is done for all apps grows with their number: every app runs, pushed by git.

The apps are one small server in C, each pushed for itself from the same commit.
"""

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import docker

from bench.cli import run as time_command
from bench.live import answer_of
from bench.measure import Row, Sample, time_call
from bench.memory import look
from bench.push_to_live import settings_of
from paas import routing
from paas.platform import Platform
from paas.proxies.nginx_process import NginxProcess
from paas.reconcile import Reconciler
from paas.wiring import build_platform
from tests.journeys.belongings import children, processes, pss
from tests.journeys.instance import Instance
from tests.journeys.programs import Git

SIZES, QUICK = (10, 50, 200), (2, 4, 8)
GOAL = 500  # apps, of which design.md speaks
FAR = 100  # apps from which on a line may be drawn to GOAL
TURNS = 9
PUSHES, STARTS, STOPS = 2, 4, 8  # at a time; paas starts four apps at a time, too
PATIENCE = 900.0  # seconds until all answer
MINUTE = 60.0
REST = 5.0  # seconds after which nothing is at work any more


@dataclass
class Crowd:
    """The apps of one instance, all of the same commit."""

    instance: Instance
    platform: Platform
    git: Git
    names: list[str] = field(default_factory=list)

    def grow(self, count: int) -> None:
        """Push until there are `count` apps."""
        new = [f"many{number}" for number in range(len(self.names), count)]
        url = self.git.url.removesuffix(self.git.app)
        with ThreadPoolExecutor(PUSHES) as pool:
            list(pool.map(lambda name: self.git.git("push", "-q", url + name, "master"), new))
        self.names += new
        self.wait()

    def wait(self) -> None:
        """Wait until all answer; one after the other, for that costs least."""
        deadline = time.monotonic() + PATIENCE
        for name in self.names:
            while not answer_of(self.instance, name, timeout=1).startswith("Hello"):
                assert time.monotonic() < deadline, f"{name} does not answer"
                time.sleep(0.1)

    def ids(self) -> list[str]:
        """Return the ids of the apps' containers."""
        return [row.id for row in self.platform.store.containers.list()]


@dataclass(frozen=True)
class Figure:
    """Something that grows. `limit` is for GOAL apps."""

    what: str
    unit: str
    measure: Callable[[Crowd], Sample]
    limit: float | None = None


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return a row per figure and number of apps, and what they come to with GOAL apps."""
    found: dict[str, dict[int, Sample]] = {figure.what: {} for figure in FIGURES}
    with open_platform(instance) as platform:
        crowd = Crowd(instance, platform, instance.app("many", "docker-two-stage"))
        for size in QUICK if quick else SIZES:
            crowd.grow(size)
            for figure in FIGURES:
                time.sleep(REST)
                found[figure.what][size] = figure.measure(crowd)
    return [row for figure in FIGURES for row in rows_of(figure, found[figure.what])]


@contextlib.contextmanager
def open_platform(instance: Instance) -> Iterator[Platform]:
    """Give access to the instance's own parts, as a command has it."""
    platform = build_platform(settings_of(instance))
    try:
        yield platform
    finally:
        platform.store.close()


def publish(crowd: Crowd) -> Sample:
    """Change one app's vhost: render, test, reload, until only new workers accept."""
    platform = crowd.platform
    site = routing.site_of(platform, platform.store.apps.get(crowd.names[0]))
    sizes = itertools.cycle(("20m", "21m"))

    def change() -> None:
        options = {**site.options, "client-max-body-size": next(sizes)}
        assert platform.proxy.publish(replace(site, options=options)), "nothing has changed"

    times = [1000 * time_call(change) for _ in range(TURNS)]
    platform.proxy.publish(site)
    return Sample(tuple(times))


def reload_nginx(crowd: Crowd) -> Sample:
    """Let nginx test and read the same files: its master alone sleeps 0.1 s in each reload."""
    nginx = NginxProcess(crowd.platform.settings)

    def change() -> None:
        nginx.test()
        nginx.reload()

    return Sample(tuple(1000 * time_call(change) for _ in range(TURNS)))


def switch(crowd: Crowd) -> Sample:
    """Move one app's routes."""
    platform = crowd.platform
    routes = routing.routes_of(platform, platform.store.apps.get(crowd.names[0]))
    move = lambda: platform.proxy.switch(crowd.names[0], routes)  # noqa: E731 - fits into the line
    return Sample(tuple(1000 * time_call(move) for _ in range(TURNS)))


def list_over_ssh(crowd: Crowd) -> Sample:
    """List the apps over a cold ssh connection."""
    argv = [*crowd.instance.ssh.command, "apps:list"]
    return Sample(tuple(time_command(argv) for _ in range(TURNS)))


def list_on_host(crowd: Crowd) -> Sample:
    """List the apps on the host."""
    argv = [sys.executable, "-m", "paas", "apps:list"]
    return Sample(tuple(time_command(argv, crowd.instance.environ) for _ in range(TURNS)))


def reconcile(crowd: Crowd) -> Sample:
    """Do one whole pass over everything, with nothing to mend."""
    run = lambda: Reconciler(crowd.platform).run(is_blind=False)  # noqa: E731 - as above
    return Sample(tuple(1000 * time_call(run) for _ in range(TURNS)))


def memory(crowd: Crowd) -> Sample:
    """Add up all processes of paas that stay."""
    return Sample(tuple(sum(each.values()) for each in look(crowd.instance, TURNS)))


def work_at_rest(crowd: Crowd) -> Sample:
    """Return the seconds of processor time that paas takes in a minute in which nobody asks."""
    before = ticks(crowd)
    time.sleep(MINUTE)
    return Sample(((ticks(crowd) - before) / os.sysconf("SC_CLK_TCK"),))


def ticks(crowd: Crowd) -> int:
    """Return the processor time of all paas processes and of their children that have ended."""
    stats = (Path(f"/proc/{pid}/stat").read_text() for pid in processes(crowd.instance).values())
    return sum(sum(map(int, stat.rpartition(")")[2].split()[11:15])) for stat in stats)


def memory_per_app(crowd: Crowd) -> Sample:
    """Return what each app occupies: its processes, and the engine's process that holds them."""
    with contextlib.closing(docker.APIClient()) as engine:
        pids = [engine.inspect_container(each)["State"]["Pid"] for each in crowd.ids()]
    return Sample(tuple(sum(pss(each) for each in family(parent_of(pid))) for pid in pids))


def boot(crowd: Crowd) -> Sample:
    """Start paas when no container runs; return the seconds until all answer."""
    with all_down(crowd):
        start = time.monotonic()
        crowd.instance.paas("start")
        crowd.wait()
        return Sample((time.monotonic() - start,))


def bare_boot(crowd: Crowd) -> Sample:
    """Let the engine alone start the same containers, as many at a time as paas does."""
    with all_down(crowd), contextlib.closing(docker.APIClient()) as engine:
        start = time.monotonic()
        with ThreadPoolExecutor(STARTS) as pool:
            list(pool.map(engine.start, crowd.ids()))
        crowd.wait()
        took = Sample((time.monotonic() - start,))
        crowd.instance.paas("start")
    return took


@contextlib.contextmanager
def all_down(crowd: Crowd) -> Iterator[None]:
    """Stop paas, and all containers behind its back, as a reboot does."""
    crowd.instance.paas("stop")
    with contextlib.closing(docker.APIClient()) as engine, ThreadPoolExecutor(STOPS) as pool:
        list(pool.map(lambda each: engine.stop(each, timeout=1), crowd.ids()))
    yield
    time.sleep(REST)


def parent_of(pid: int) -> int:
    """Return the parent of a process (proc(5))."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def family(pid: int) -> list[int]:
    """Return a process and all below it."""
    return [pid, *(below for child in children(pid) for below in family(child))]


def rows_of(figure: Figure, found: Mapping[int, Sample]) -> list[Row]:
    """Return a row per number of apps; the last is what the growth comes to with GOAL apps."""
    rows = [
        Row(f"{figure.what}, {size} apps", sample, figure.unit, note=growth(found, size))
        for size, sample in found.items()
    ]
    (few, low), (many, high) = list(found.items())[-2:]
    if figure.limit is None or many < FAR:
        return rows
    slope = (high.median - low.median) / (many - few)
    reached = Sample((high.median + slope * (GOAL - many),))
    note = f"not measured: the line through {few} and {many} apps"
    return [
        *rows,
        Row(f"{figure.what}, {GOAL} apps", reached, figure.unit, figure.limit, note=note),
    ]


def growth(found: Mapping[int, Sample], size: int) -> str:
    """Return how often the figure of the fewest apps goes into this one."""
    first = min(found)
    ratio = found[size].median / found[first].median
    return "" if size == first else f"{ratio:.2f} x for {size / first:g} x the apps"


FIGURES = (
    Figure("publish: one vhost changed and nginx reloaded", "ms", publish, 200),
    Figure("its floor: `nginx -t` and a reload of the same files", "ms", reload_nginx),
    Figure("switch: one app's routes moved", "ms", switch),
    Figure("`apps:list` over a cold ssh connection", "ms", list_over_ssh, 1000),
    Figure("`apps:list` on the host", "ms", list_on_host),
    Figure("reconcile pass", "ms", reconcile, 10_000),
    Figure("processor time in a minute at rest", "s", work_at_rest),
    Figure("memory of all paas processes (PSS)", "MB", memory, 140),
    Figure("memory of one app with the engine's part of it", "MB", memory_per_app),
    Figure("boot: `paas start` until all answer", "s", boot),
    Figure("its floor: the engine alone starts them", "s", bare_boot),
)
