"""The short form of the fault suite, as CI runs it; `just faults` is the long one."""

import secrets
from collections.abc import Iterator

import pytest

from tests.faults import kills
from tests.faults.suite import SCENARIOS, inject, is_clean
from tests.faults.world import World, build_world

SEED = secrets.randbelow(1 << 16)
# Its engine alone takes a minute to fill; tests/journeys/test_engine_restart.py ends one as well.
LONG_ONLY = {"dockerd"}
USUAL = {
    n: "kills" if s.run.__module__ == kills.__name__ else "parts"
    for n, s in SCENARIOS.items()
    if s.is_usual
}
OWN = [n for n, s in SCENARIOS.items() if not s.is_usual and n not in LONG_ONLY]


def beside(name: str, group: str) -> object:
    """Return a parameter whose test runs beside those of other groups, if processes are many."""
    return pytest.param(name, marks=pytest.mark.xdist_group(f"faults: {group}"))


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One in each process."""
    with build_world(SEED) as made:
        yield made


@pytest.mark.parametrize("name", [beside(*each) for each in USUAL.items()])
def test_everything_is_whole_after(name: str, world: World) -> None:
    tally = inject(name, world, quick=True)
    assert tally.is_good, f"seed {SEED}: {tally.failures}"


@pytest.mark.parametrize("group", [beside(group, group) for group in sorted(set(USUAL.values()))])
def test_no_image_and_no_file_is_left_of_all_that(group: str, world: World) -> None:
    world.await_clean()


@pytest.mark.parametrize("name", [beside(name, name) for name in OWN])
def test_everything_is_whole_in_a_world_of_its_own_after(name: str) -> None:
    with SCENARIOS[name].build(SEED) as world:
        tally = inject(name, world, quick=True)
        assert is_clean(world, tally), tally.failures
    assert tally.is_good, f"seed {SEED}: {tally.failures}"
