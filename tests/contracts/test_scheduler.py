"""What every scheduler does: the fake, and Docker Engine (as many as PAAS_TEST_ENGINES names)."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from paas.errors import EngineUnavailable, ImageMissing
from paas.model import ProcessState
from paas.schedulers.base import Streams
from tests.contracts.engines import until
from tests.contracts.scheduler_world import (
    APP,
    EXITS,
    IGNORES_TERM,
    LISTENS,
    NOTHING,
    SLEEPS,
    World,
    engine_down,
    fake_down,
)


def test_a_started_process_runs_at_its_address(world: World) -> None:
    seen = world.scheduler.inspect(world.start(SLEEPS))
    assert seen.state is ProcessState.RUNNING
    assert seen.name == f"{world.settings.instance}-shop.web.1.1"
    assert seen.address == str(world.settings.subnet(APP.network_index)[3])
    assert seen.memory == 512 * 1024 * 1024


def test_every_container_of_the_instance_is_listed(world: World) -> None:
    started = {world.start(SLEEPS, slot=1), world.start(EXITS, slot=2)}
    listed = until(
        lambda: {c.id: c for c in world.scheduler.containers()},
        lambda found: any(c.exit_code == 3 for c in found.values()),
    )
    assert set(listed) == started


def test_a_leftover_of_the_same_name_is_replaced(world: World) -> None:
    old = world.start(SLEEPS)
    new = world.start(SLEEPS)
    assert world.scheduler.inspect(old).state is ProcessState.MISSING
    assert [c.id for c in world.scheduler.containers()] == [new]


def test_stop_removes_all_even_those_that_ignore_term_or_are_gone(world: World) -> None:
    ids = [world.start(SLEEPS, 1), world.start(IGNORES_TERM, 2), world.start(EXITS, 3), NOTHING]
    world.scheduler.keep(ids)
    world.scheduler.stop(ids, timeout=1)
    assert world.scheduler.containers() == ()
    world.scheduler.stop(ids, timeout=1)


def test_an_id_that_is_gone_is_not_an_error(world: World) -> None:
    scheduler = world.scheduler
    assert scheduler.inspect(NOTHING).state is ProcessState.MISSING
    assert scheduler.tail(NOTHING, 5) == ()
    assert scheduler.listeners(NOTHING) == ()
    assert scheduler.connections(NOTHING, 80) == 0
    assert list(scheduler.logs({NOTHING: "web.1"}, 5, follow=True)) == []


def test_a_running_process_can_be_described_listed_and_measured(world: World) -> None:
    container = world.start(SLEEPS)
    assert "A=b" in world.scheduler.describe(container)["Config"]["Env"]
    titles, *processes = world.scheduler.top(container)
    assert "COMMAND" in titles
    assert any("sleep 600" in row[-1] for row in processes)
    usage = world.scheduler.usage(container)
    assert usage
    assert usage.memory_limit == 512 * 1024 * 1024
    assert usage.pids > 0


@pytest.mark.parametrize("is_there", [True, False])
def test_what_does_not_run_has_no_processes_and_uses_nothing(world: World, is_there: bool) -> None:
    container = world.start(EXITS) if is_there else NOTHING
    until(lambda: world.scheduler.inspect(container), lambda o: o.state is not ProcessState.RUNNING)
    assert world.scheduler.top(container) == ()
    assert world.scheduler.usage(container) is None
    assert bool(world.scheduler.describe(container)) == is_there


def test_listeners_tell_address_and_port(world: World) -> None:
    container = world.start(LISTENS)
    found = until(lambda: world.scheduler.listeners(container), bool)
    assert [(x.address, x.port) for x in found] == [("127.0.0.1", 8000)]


def test_an_image_that_is_gone_fails_the_start_and_leaves_nothing(world: World) -> None:
    with pytest.raises(ImageMissing, match=r"(?i)no such image"):
        replace(world, image=NOTHING).start(SLEEPS)
    assert world.scheduler.containers() == ()


def test_a_destroyed_app_can_be_started_again(world: World) -> None:
    world.scheduler.create_network(APP)
    world.scheduler.create_network(APP)
    old = world.start(SLEEPS)
    world.scheduler.destroy(APP)
    world.scheduler.destroy(APP)
    assert world.scheduler.inspect(old).state is ProcessState.MISSING
    assert world.scheduler.inspect(world.start(SLEEPS)).state is ProcessState.RUNNING


@pytest.mark.parametrize("make", [fake_down, engine_down])
def test_without_an_engine_every_method_says_so(make: Callable[[], World]) -> None:
    world, spec = make(), make().spec(SLEEPS)
    scheduler, streams = world.scheduler, Streams(None, 1, 2)
    calls: list[Callable[[], object]] = [
        lambda: scheduler.create_network(APP),
        lambda: scheduler.start(spec),
        lambda: scheduler.keep([NOTHING]),
        lambda: scheduler.unkeep([NOTHING]),
        lambda: scheduler.park(NOTHING, 1),
        lambda: scheduler.mend(NOTHING, "ctdown-shop.web.1.1"),
        scheduler.watch,
        lambda: scheduler.stop([NOTHING], 1),
        lambda: scheduler.run_once(spec, lambda _: None, 1),
        lambda: scheduler.bake(spec, lambda _: None, 1, lambda _: None),
        lambda: scheduler.inspect(NOTHING),
        scheduler.containers,
        lambda: scheduler.listeners(NOTHING),
        lambda: scheduler.connections(NOTHING, 80),
        lambda: scheduler.tail(NOTHING, 1),
        lambda: list(scheduler.logs({NOTHING: "web.1"}, 1, follow=False)),
        lambda: scheduler.exec(NOTHING, ["true"], streams),
        lambda: scheduler.attach(spec, streams, lambda _: None),
        lambda: scheduler.describe(NOTHING),
        lambda: scheduler.top(NOTHING),
        lambda: scheduler.usage(NOTHING),
        lambda: scheduler.destroy(APP),
    ]
    for call in calls:
        with pytest.raises(EngineUnavailable) as caught:
            call()
        assert caught.value.hint
    assert [f.level for f in scheduler.check()] == ["fail"]
