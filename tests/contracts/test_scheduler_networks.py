"""Shared networks beside an app's own: the fake scheduler, and Docker Engine."""

from dataclasses import replace

import pytest

from paas.errors import Conflict
from paas.model import ProcessState
from paas.network import Link
from tests.contracts.scheduler_world import APP, NOTHING, SHARED, SLEEPS, World


def backend(world: World) -> frozenset[str]:
    return frozenset({f"{world.settings.instance}-net-backend"})


def link_at(world: World, seat: int) -> Link:
    address = world.settings.shared_subnet(SHARED.index)[seat]
    return Link(SHARED, (f"shop.web.{seat}",), str(address))


def test_a_linked_container_is_on_the_shared_network_too(world: World) -> None:
    container = world.start(SLEEPS)
    assert world.scheduler.inspect(container).beside == frozenset()
    for _ in range(2):
        world.scheduler.link(container, link_at(world, 2))
    world.scheduler.link(NOTHING[7:], link_at(world, 3))
    seen = world.scheduler.inspect(container)
    assert (seen.beside, seen.state) == (backend(world), ProcessState.RUNNING)
    assert seen.address == world.spec(SLEEPS).address
    (listed,) = world.scheduler.containers()
    assert (listed.beside, listed.address) == (seen.beside, seen.address)


def test_a_container_starts_on_its_shared_networks(world: World) -> None:
    spec = replace(world.spec(SLEEPS), links=(link_at(world, 2),))
    seen = world.scheduler.inspect(world.scheduler.start(spec))
    assert (seen.beside, seen.address) == (backend(world), spec.address)


def test_an_app_is_taken_off_with_all_its_containers(world: World) -> None:
    links = [replace(world.spec(SLEEPS, n), links=(link_at(world, n + 1),)) for n in (1, 2)]
    started = [world.scheduler.start(spec) for spec in links]
    world.by_hand.unlink_by_hand(started[0], "backend")
    with pytest.raises(Conflict):
        world.scheduler.remove_shared(SHARED)
    world.scheduler.unlink(APP, SHARED)
    world.scheduler.unlink(APP, SHARED)
    assert {world.scheduler.inspect(each).beside for each in started} == {frozenset()}
    world.scheduler.remove_shared(SHARED)
    world.scheduler.remove_shared(SHARED)
