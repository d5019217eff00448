"""All kinds of faults, each with the world it is injected into."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from tests.faults import disk, engines, family, kills, network, parts, races
from tests.faults.tally import Tally
from tests.faults.world import World, build_world

RELOAD = "a new vhost needs a reload of nginx, which closes kept connections that are idle"


@dataclass(frozen=True)
class Scenario:
    """One kind of fault. `may_lose` tells why requests may be lost in it; "" means none may be.

    `rounds` is for what is drawn: how often in the short form, and in the long one.
    """

    run: Callable[..., Tally]  # (world, *, quick), or (world, *, rounds)
    build: Callable[[int], AbstractContextManager[World]] = build_world
    may_lose: str = ""
    rounds: tuple[int, int] | None = None

    @property
    def is_usual(self) -> bool:
        """Whether any world will do."""
        return self.build is build_world


SCENARIOS: Mapping[str, Scenario] = {
    "lines": Scenario(kills.at_each_line),
    "at_once": Scenario(kills.at_once_again),
    "undo": Scenario(kills.in_the_undoing),
    "recovery": Scenario(kills.in_the_recovery),
    "first": Scenario(kills.in_a_first_push, may_lose=RELOAD),
    "random": Scenario(kills.at_random, rounds=(3, 200)),
    "family": Scenario(family.members_killed),
    "engine": Scenario(parts.engine_away),
    "nginx": Scenario(parts.nginx_killed),
    "hands": Scenario(parts.removed_by_hand),
    "races": Scenario(races.two_pushes, rounds=(2, 100)),
    "vhost": Scenario(parts.vhost_broken, may_lose=RELOAD),
    "disk": Scenario(disk.disk_full, disk.build_on_small_disk, may_lose=RELOAD),
    "dockerd": Scenario(engines.engine_ends, engines.build_on_own_engine),
    "network": Scenario(network.cut_in_the_pack, partial(build_world, ssh_listen="0.0.0.0")),
}


def inject(name: str, world: World, *, quick: bool, rounds: int | None = None) -> Tally:
    """Inject one kind of fault; see that no request was lost.

    `rounds` says how many of what is drawn, instead of the form's own number.
    """
    scenario, visitor = SCENARIOS[name], world.visitor
    asked, lost = visitor.answered, len(visitor.lost)
    if scenario.rounds:
        tally = scenario.run(world, rounds=rounds or scenario.rounds[0 if quick else 1])
    else:
        tally = scenario.run(world, quick=quick)
    _note(tally, world.await_whole)
    tally.lost, tally.asked = len(visitor.lost) - lost, visitor.answered - asked
    if tally.lost and scenario.may_lose:
        tally.note = scenario.may_lose
    elif tally.lost:
        tally.failures.append(f"requests: {'; '.join(visitor.lost[lost:][:5])}")
    return tally


def is_clean(world: World, tally: Tally) -> bool:
    """Whether no image and no file is left, after a minute at most; else the tally tells what."""
    return _note(tally, world.await_clean)


def _note(tally: Tally, wait: Callable[[], float]) -> bool:
    try:
        wait()
    except AssertionError as error:
        tally.failures.append(f"afterwards: {error}")
        return False
    return True
