"""Deploys in a row under load: what its clients lose, and what a neighbour's clients notice.

Once from the host itself, once from far away.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.clients import Comer, Crowd, Door, ask_slowly, listen_to_the_end, talk, visitor
from bench.far_away import Way, far_away
from bench.live import answer_of
from bench.measure import Row, Sample, time_call
from bench.push_to_live import settings_of
from tests.journeys.instance import Instance
from tests.journeys.programs import Git

ECHO = Path(__file__).parent.parent / "tests" / "journeys" / "apps" / "echo"
DEPLOYS = 100
RATE = 50.0  # requests a second
SLOW = 20.0  # seconds that a slow request takes: less than the drain limit
EACH = 5  # every so many deploys a websocket is opened
# Each slow request and each websocket keeps the processes of a version that is gone, and the app
# has 29 addresses: so deploys must not come quicker than this. Seconds.
PACE = 1.2
DELAY = 0.02  # seconds each way
SEED = 7


@dataclass
class Load:
    """All clients of one run."""

    busy: Comer
    neighbour: Comer
    slow: Crowd = field(default_factory=Crowd)
    websockets: Crowd = field(default_factory=Crowd)
    talks: Crowd = field(default_factory=Crowd)


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return the rows of both runs."""
    busy, _ = (push_echo(instance, name) for name in ("busy", "neighbour"))
    deploys = 5 if quick else DEPLOYS
    near = run(instance, busy, Way(), deploys)
    with far_away(DELAY) as way:
        connects = link(instance, way)
        far = run(instance, busy, way, deploys)
    where = f", {1000 * DELAY:.0f} ms away"
    return [*rows_of(near, deploys, ""), connects, *rows_of(far, deploys, where)]


def push_echo(instance: Instance, name: str) -> Git:
    """Push an app that echoes."""
    git = instance.app(name)
    git.fill(ECHO)
    git.push()
    return git


def run(instance: Instance, git: Git, way: Way, deploys: int) -> Load:
    """Deploy again and again while the clients are there; return what they met."""
    chance = random.Random(SEED)
    patience = PACE * deploys + settings_of(instance).drain_timeout + 60
    door = Door(instance, git.app, way)
    with clients(door, Door(instance, "neighbour", way)) as load:
        for number in range(deploys):
            due = time.monotonic() + PACE
            wait = chance.uniform(0, PACE)  # so that it begins at any moment of a deploy
            load.slow.start(lambda wait=wait: _later(door, wait), f"slow request {number}")  # type: ignore[misc] # mypy and defaults
            if number % EACH == 0:
                load.websockets.start(lambda: listen_to_the_end(door, patience), f"{number}")
            deploy(instance, git, f"{number} {way.address}")
            time.sleep(max(0.0, due - time.monotonic()))
        last = f"last {way.address}"
        deploy(instance, git, last)  # whatever is open is of an old version now
        load.slow.wait()
        load.websockets.wait()
    assert last not in load.slow.said, "a slow request has met no switch"
    return load


def deploy(instance: Instance, git: Git, version: str) -> None:
    """Push a version; it answers when git has given the prompt back."""
    git.write("version.txt", version)
    git.commit(version)
    git.push()
    assert answer_of(instance, git.app) == version


@contextmanager
def clients(busy: Door, neighbour: Door) -> Iterator[Load]:
    """Let clients come to both apps while the body runs."""
    load, stop = Load(visitor(busy, RATE), visitor(neighbour, RATE)), threading.Event()
    with ExitStack() as stack:
        for each in (load.busy, load.neighbour):
            stack.enter_context(each.visiting())
        load.talks.start(lambda: talk(neighbour, stop), "websocket")
        stack.callback(load.talks.wait)
        stack.callback(stop.set)
        yield load


def rows_of(load: Load, deploys: int, where: str) -> list[Row]:
    """Return what was lost, and of how many."""
    ends = ", ".join(f"{n} by {code}" for code, n in Counter(load.websockets.said).items())
    crossed = len(load.slow.said)
    return [
        lost(
            f"requests lost in {deploys} deploys under {RATE:g} a second{where}",
            load.busy.lost,
            f"{load.busy.answered} answered, by {len(load.busy.seen)} versions; GET and POST, new "
            "and kept connections, no retry",
        ),
        lost(
            f"requests of {SLOW:g} s lost across the switches{where}",
            load.slow.lost,
            f"{crossed} of {crossed + len(load.slow.lost)} answered",
        ),
        lost(
            f"own websockets that hang{where}",
            load.websockets.lost,
            f"{len(load.websockets.said)} closed in order at the drain limit: {ends}",
        ),
        lost(
            f"lost by a neighbour meanwhile{where}",
            load.neighbour.lost + load.talks.lost,
            f"{load.neighbour.answered} answered, one websocket open all the time with "
            f"{' '.join(load.talks.said)}",
        ),
    ]


def lost(what: str, losses: list[str], note: str) -> Row:
    """Return a row that is met by 0; the first losses are told."""
    return Row(what, Sample((float(len(losses)),)), "", 0, note="; ".join([note, *losses[:3]]))


def link(instance: Instance, way: Way) -> Row:
    """Return the round trip over the slow link. Raises AssertionError if it is not slow."""
    trips = [1000 * time_call(lambda: way.dial(instance.http_port).close()) for _ in range(9)]
    sample = Sample(tuple(trips))
    assert sample.median >= 2000 * DELAY, "the slow link is not slow"
    note = "packets delayed in a tun device, each way"
    return Row("one connect over the slow link", sample, "ms", note=note)


def _later(door: Door, wait: float) -> str:
    time.sleep(wait)
    return ask_slowly(door, SLOW)
