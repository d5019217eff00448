"""A web process that stops answering is restarted, less and less often."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paas import operate
from paas.crew import Job
from paas.liveness import Liveness
from paas.model import Container, ContainerRole
from paas.processes import describe_processes
from tests.fakes.engine import Program, serve
from tests.world import ANNA, World, make_world

SAID = {"healthchecks": {"web": [{"type": "liveness", "path": "/up", "attempts": 2, "wait": 10}]}}


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def live(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as world:
        assert world.push(app_json=SAID) == "ok"
        yield world


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def liveness(live: World, clock: Clock) -> Liveness:
    made = Liveness(live.platform, clock)
    made.run()  # learns of the processes; they are asked a second later
    return made


def web(world: World) -> Container:
    [row] = world.store.containers.of(world.app().id, ContainerRole.CURRENT)
    return row


def restarts(world: World) -> int:
    [process] = describe_processes(world.platform, world.app())[:1]
    return process.restarts


def break_web(world: World) -> None:
    """Let the process run on without answering."""
    server = world.scheduler.running[web(world).id].server
    assert server
    server.shutdown()
    server.server_close()
    world.scheduler.running[web(world).id].server = None


def pass_rounds(liveness: Liveness, clock: Clock, rounds: int, seconds: float = 10) -> None:
    for _ in range(rounds):
        clock.now += seconds
        liveness.run()


def test_a_process_that_answers_is_left_alone(
    live: World, liveness: Liveness, clock: Clock
) -> None:
    before = web(live)
    pass_rounds(liveness, clock, 5)
    assert web(live) == before


def test_a_process_that_stops_answering_is_restarted_in_its_place(
    live: World, liveness: Liveness, clock: Clock
) -> None:
    before = web(live)
    break_web(live)
    pass_rounds(liveness, clock, 1)
    assert web(live) == before
    pass_rounds(liveness, clock, 1)
    after = web(live)
    assert after.id != before.id
    assert after.address == before.address
    assert live.scheduler.running[after.id].kept
    [line] = live.store.journal.read(live.app().id, 10)
    assert line.text == "web.1 did not open its port: restarting it"
    pass_rounds(liveness, clock, 5)
    assert web(live) == after


def test_restarts_are_counted_with_those_after_crashes_until_the_next_deploy(
    live: World, liveness: Liveness, clock: Clock
) -> None:
    assert restarts(live) == 0
    for number in (1, 2):
        break_web(live)
        pass_rounds(liveness, clock, 4)
        assert restarts(live) == number
    live.push(app_json=SAID)
    assert restarts(live) == 0


def test_one_good_answer_forgives_the_bad_ones(
    live: World, liveness: Liveness, clock: Clock
) -> None:
    before = web(live)
    for status in (500, 200, 500, 200):
        live.scheduler.programs["serve"] = Program(status=status)
        break_web(live)
        container = live.scheduler.running[before.id]
        container.server = serve(before.address, before.port, status)
        pass_rounds(liveness, clock, 1)
    assert web(live) == before


def test_a_process_that_never_answers_is_restarted_less_and_less_often(
    live: World, liveness: Liveness, clock: Clock
) -> None:
    live.scheduler.programs["serve"] = Program(status=None)
    break_web(live)
    starts = len(live.scheduler.started)
    pass_rounds(liveness, clock, 600, seconds=1)
    restarts = len(live.scheduler.started) - starts
    assert 7 <= restarts <= 13  # a check takes 11 s, then pauses of 1, 2, 4 ... 60 s


def test_nobody_restarts_beside_a_deploy_or_what_is_not_current(
    live: World, liveness: Liveness, clock: Clock
) -> None:
    before = web(live)
    break_web(live)
    with live.platform.locks.app(live.app().id, "anna", "push"):
        pass_rounds(liveness, clock, 3)
    assert web(live) == before
    operate.restart(live.platform, live.app(), ANNA)
    after = web(live)
    pass_rounds(liveness, clock, 3)
    assert web(live) == after


def test_an_app_without_liveness_or_a_stopped_one_is_never_asked(live: World, clock: Clock) -> None:
    jobs = list[Job]()
    live.push("blog")
    operate.stop(live.platform, live.app(), ANNA)
    pass_rounds(Liveness(live.platform, clock, jobs.append), clock, 5)
    assert jobs == []


def test_a_round_that_is_lost_is_asked_again_later(live: World, clock: Clock) -> None:
    jobs = list[Job]()
    liveness = Liveness(live.platform, clock, jobs.append)
    pass_rounds(liveness, clock, 2)
    assert len(jobs) == 1
    pass_rounds(liveness, clock, 1)
    assert len(jobs) == 1
    pass_rounds(liveness, clock, 2)
    assert len(jobs) == 2
    jobs[-1].then(-9)  # killed: it wrote nothing
    assert web(live)
