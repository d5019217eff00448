"""Many at the doors at once, and what another user's `apps:list` takes meanwhile.

Strangers prove no key and come from many addresses; slow clients have a key, begin a push and send
nothing more. All of them are on the same host as paas: what they compute, they take from it.
"""

import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from bench.apps import STATIC_SERVER
from bench.cli import bare_ssh, run
from bench.live import LiveApp, wait_until
from bench.measure import Row, Sample
from bench.peak import below
from tests.journeys.belongings import name_of, processes, pss
from tests.journeys.instance import Instance

STRANGERS, ADDRESSES = 200, 20  # from one address 60 are let in
ELSEWHERE = "127.0.2.1"  # the other user's; in front of each address paas has a queue of its own
SLOW, COMMANDS, PUSHES = 40, 50, 20
BURSTS = 3  # of commands, for few looks fit into one
LOOKS = 15
REACH = 2.0  # times the idle time
HELPERS = 2  # processes of an idle installation: the ssh door, the background
FLAT = 1.1  # memory after, to memory before


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return the rows; a quick run has a quarter of everybody."""
    share = 4 if quick else 1
    bob = instance.user("bob").command
    other = Other([*bob, "-b", ELSEWHERE, "apps:list"])
    near = Other([*bob, "apps:list"])
    apps = [
        LiveApp(instance, f"door{n}", STATIC_SERVER, {"requirements.txt": ""})
        for n in range(PUSHES // share)
    ]
    other.look()  # the first one reads what the next ones find in memory
    idle, before = other.looks(LOOKS), _memory(instance)
    rows = [Row("`apps:list` of another user, nobody else there", idle, "ms")]
    with strangers(instance, STRANGERS // share):
        rows += other.beside(f"{STRANGERS // share} strangers", idle)
        rows.append(_memory_row("meanwhile", _memory(instance)))
    with slow_clients(instance, SLOW // share):
        rows += other.beside(f"{SLOW // share} slow pushes", idle)
    rows += _commands(instance, other, near, idle, COMMANDS // share)
    rows += _pushes(apps, other, idle)
    supervisor = processes(instance)["supervisor"]
    wait_until(lambda: len(below(supervisor)) == HELPERS, "something of it all is still at work")
    after = _memory(instance)
    growth = sum(after.values()) / sum(before.values())
    return [
        *rows,
        _memory_row("before all this", before),
        _memory_row("after it", after),
        Row("after / before", _one(growth), "x", FLAT),
    ]


@dataclass
class Other:
    """Another user, who only wants to see a list."""

    argv: Sequence[str]

    def look(self) -> float:
        """Return the milliseconds of one over a cold connection. Raises if it fails."""
        return run(self.argv)

    def looks(self, times: int) -> Sample:
        return Sample(tuple(self.look() for _ in range(times)))

    def looks_until(self, done: Callable[[], bool]) -> Sample:
        values = [self.look()]
        while not done():
            values.append(self.look())
        return Sample(tuple(values))

    def beside(self, whom: str, idle: Sample) -> list[Row]:
        return [_ratio(whom, self.looks(LOOKS), idle)]


def _ratio(whom: str, looks: Sample, idle: Sample, *, is_floor: bool = False) -> Row:
    """Return the row of the other's times beside a load, as multiples of the idle median."""
    many = Sample(tuple(value / idle.median for value in looks.values))
    what = "a bare server's answer" if is_floor else "`apps:list` of another user"
    limit = None if is_floor else REACH
    return Row(f"{what} beside {whom}, to its idle time", many, "x", limit, note=looks.show("ms"))


@contextlib.contextmanager
def strangers(instance: Instance, count: int) -> Iterator[None]:
    """Hold connections that read the greeting and say nothing."""
    with contextlib.ExitStack() as stack:
        for number in range(count):
            address = f"127.0.1.{1 + number % ADDRESSES}"
            line = socket.create_connection(
                ("127.0.0.1", instance.ssh_port), timeout=60, source_address=(address, 0)
            )
            stack.enter_context(line)
            assert line.recv(100), "a stranger was not greeted"
        yield


@contextlib.contextmanager
def slow_clients(instance: Instance, count: int) -> Iterator[None]:
    """Hold pushes whose client has read nothing and sends nothing."""
    instance.paas("apps:create", "slow")
    command = [*instance.ssh.command, "git-receive-pack 'slow'"]
    with contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
            for _ in range(count)
        ]
        for client in clients:
            assert client.stdout
            assert client.stdout.read(4), "a slow client was not let in"
        try:
            yield
        finally:
            for client in clients:
                client.kill()


def _commands(instance: Instance, other: Other, near: Other, idle: Sample, count: int) -> list[Row]:
    many = [*instance.ssh.command, "apps:list"]
    ours = _bursts(many, count, other)
    beside = _bursts(many, count, near)
    with bare_ssh(instance.ssh) as bare:
        floor = Other([*bare[:-1], "-b", ELSEWHERE, bare[-1]])
        bare_idle = floor.looks(LOOKS)
        stock = _bursts(bare, count, floor)
    return [
        Row(f"{count} commands of one user at once, until all are answered", ours.took, "s"),
        Row("of them not answered", _one(ours.failed + beside.failed), "", 0),
        _ratio(f"{count} commands", ours.looks, idle),
        _ratio(f"{count} commands from the same address", beside.looks, idle),
        Row("its floor: the same of a bare paramiko server", stock.took, "s"),
        _ratio("them", stock.looks, bare_idle, is_floor=True),
    ]


@dataclass(frozen=True)
class Bursts:
    """What came of commands that were started at once, several times."""

    took: Sample
    failed: int
    looks: Sample  # of another one, from their start until the last has ended


def _bursts(argv: Sequence[str], count: int, other: Other) -> Bursts:
    took: list[float] = []
    looks: list[float] = []
    failed, quiet = 0, subprocess.DEVNULL
    for _ in range(BURSTS):
        start = time.perf_counter()
        running = [subprocess.Popen(argv, stdout=quiet, stderr=quiet) for _ in range(count)]
        looks += other.looks_until(partial(_have_ended, running)).values
        took.append(time.perf_counter() - start)
        failed += sum(each.wait() != 0 for each in running)
    return Bursts(Sample(tuple(took)), failed, Sample(tuple(looks)))


def _have_ended(running: Sequence[subprocess.Popen[bytes]]) -> bool:
    return all(each.poll() is not None for each in running)


def _pushes(apps: Sequence[LiveApp], other: Other, idle: Sample) -> list[Row]:
    for app in apps:
        app.write("one")
    first, *rest = apps
    alone = first.push("one")
    first.write("two")
    apps_and_versions = [(first, "two"), *((app, "one") for app in rest)]
    start = time.perf_counter()
    pushes = [_start_push(app) for app in apps]
    looks = other.looks_until(partial(_have_ended, pushes))
    failed = sum(each.wait() != 0 for each in pushes)
    for app, version in apps_and_versions:
        app.wait(version)
    took = time.perf_counter() - start
    return [
        Row("one push until the app answers", _one(alone), "s"),
        Row(
            f"{len(apps)} pushes to as many apps at once, until all answer",
            _one(took),
            "s",
            10 * alone + 60,
        ),
        Row("of them refused", _one(failed), "", 0),
        _ratio(f"{len(apps)} pushes", looks, idle),
    ]


def _start_push(app: LiveApp) -> subprocess.Popen[bytes]:
    command = ["git", "push", "-q", "paas", "master"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=app.git.tree, env=app.git.environ, stdout=quiet, stderr=quiet
    )


def _memory(instance: Instance) -> dict[str, float]:
    """Return the MB of the supervisor and of all below it (PSS), by their names."""
    supervisor = processes(instance)["supervisor"]
    sizes: dict[str, float] = {}
    for pid in (supervisor, *below(supervisor)):
        with contextlib.suppress(OSError, ValueError):  # it has just ended
            name = name_of(pid)
            sizes[name] = sizes.get(name, 0.0) + pss(pid)
    return sizes


def _memory_row(what: str, sizes: dict[str, float]) -> Row:
    note = ", ".join(f"{name} {size:.0f} MB" for name, size in sizes.items())
    return Row(
        f"memory of all paas processes {what} (PSS)", _one(sum(sizes.values())), "MB", note=note
    )


def _one(value: float) -> Sample:
    return Sample((value,))
