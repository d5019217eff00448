"""All kinds of faults, each with the world it is injected into."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial

from tests.faults import disk, kills, network, parts, races
from tests.faults.tally import Tally
from tests.faults.world import World, build_world


@dataclass(frozen=True)
class Scenario:
    """One kind of fault. `may_lose` tells why requests may be lost in it; "" means none may be."""

    run: Callable[..., Tally]  # (world, *, quick)
    build: Callable[[int], AbstractContextManager[World]] = build_world
    may_lose: str = ""

    @property
    def is_usual(self) -> bool:
        """Whether any world will do."""
        return self.build is build_world


SCENARIOS: Mapping[str, Scenario] = {
    "lines": Scenario(kills.at_each_line),
    "at_once": Scenario(kills.at_once_again),
    "undo": Scenario(kills.in_the_undoing),
    "recovery": Scenario(kills.in_the_recovery),
    "random": Scenario(kills.at_random),
    "engine": Scenario(parts.engine_away),
    "nginx": Scenario(parts.nginx_killed),
    "hands": Scenario(parts.removed_by_hand),
    "races": Scenario(races.two_pushes),
    "vhost": Scenario(
        parts.vhost_broken, may_lose="a reload of nginx closes kept connections that are idle"
    ),
    "disk": Scenario(disk.disk_full, disk.build_on_small_disk),
    "network": Scenario(network.cut_in_the_pack, partial(build_world, ssh_listen="0.0.0.0")),
}


def inject(name: str, world: World, *, quick: bool) -> Tally:
    """Inject one kind of fault; see that nothing is left and no request was lost."""
    scenario, visitor = SCENARIOS[name], world.visitor
    asked, lost = visitor.answered, len(visitor.lost)
    tally = scenario.run(world, quick=quick)
    try:
        world.await_clean()
    except AssertionError as error:
        tally.failures.append(f"afterwards: {error}")
    tally.lost, tally.asked = len(visitor.lost) - lost, visitor.answered - asked
    if tally.lost and scenario.may_lose:
        tally.note = scenario.may_lose
    elif tally.lost:
        tally.failures.append(f"requests: {'; '.join(visitor.lost[lost:][:5])}")
    return tally
