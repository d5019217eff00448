"""The ports of this host that builds may reach go with the instance that they belong to."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from paas.firewall import builds_table
from paas.proxies.routes import Routes, removal_commands
from paas.settings import Settings
from tests.proxies.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An instance without nginx, which is not asked here."""
    with ExitStack() as stack:
        yield World(tmp_path / "one", stack)


@pytest.fixture
def other(world: World, tmp_path: Path) -> Iterator[World]:
    """Another instance on the same build bridge."""
    with ExitStack() as stack:
        made = World(tmp_path / "two", stack)
        made.build_bridge = world.build_bridge
        yield made


def load(settings: Settings, bridge: str) -> None:
    Routes(settings, bridge).restore(dict)


def ports(bridge: str) -> set[str]:
    command = ["nft", "list", "set", "inet", builds_table(bridge), "ports"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    words = done.stdout.partition("elements =")[2].replace(",", " ").split()
    return {word for word in words if word.isdigit()}


def port_of(world: World) -> str:
    return str(world.settings.apt_cache_port)


def test_instances_that_are_there_keep_their_ports(world: World, other: World) -> None:
    for each in (world, other, world):
        load(each.settings, world.build_bridge)
    assert ports(world.build_bridge) == {port_of(world), port_of(other)}


def test_the_port_of_a_removed_instance_is_closed_by_the_next_that_loads(
    world: World, other: World
) -> None:
    for each in (world, other):
        load(each.settings, world.build_bridge)
    for command in removal_commands(world.settings):
        subprocess.run(command, capture_output=True, check=False)
    (other.settings.root / "nft" / "loaded").unlink()
    load(other.settings, world.build_bridge)
    assert ports(world.build_bridge) == {port_of(other)}


def test_a_port_that_the_owner_changed_is_closed(world: World) -> None:
    load(world.settings, world.build_bridge)
    moved = replace(world.settings, apt_cache_port=world.settings.apt_cache_port + 1)
    load(moved, world.build_bridge)
    assert ports(world.build_bridge) == {str(moved.apt_cache_port)}


def test_a_port_that_somebody_closed_is_opened_by_the_next_restore(world: World) -> None:
    load(world.settings, world.build_bridge)
    element = ["inet", builds_table(world.build_bridge), "ports", f"{{ {port_of(world)} }}"]
    subprocess.run(["nft", "delete", "element", *element], check=True)
    load(world.settings, world.build_bridge)
    assert ports(world.build_bridge) == {port_of(world)}
