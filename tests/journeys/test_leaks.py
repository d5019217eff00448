"""Deploys in a row leave nothing behind: not in the engine, not on disk, not in the daemon.

`python -m bench leaks` tells the same of 200 deploys, with figures.
"""

import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from paas.firewall import table
from paas.proxies.routes import ELEMENT
from paas.routing import NARROW
from paas.settings import load
from tests.journeys.belongings import (
    RULED,
    children,
    descriptors,
    files,
    objects,
    private_memory,
    processes,
)
from tests.journeys.instance import Instance, running
from tests.journeys.programs import Git
from tests.journeys.test_first_push import write_version

DEPLOYS, WARM, RETENTION = 12, 3, 2
PATIENCE = 60.0
RULES = tuple(RULED.values())
MB = 5.0  # that the processes may seem to grow by


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    with running() as instance:
        yield instance


@pytest.fixture(scope="module")
def app(paas: Instance) -> Git:
    """Deploy often enough that as many releases are kept as may be."""
    git = paas.app("shop")
    paas.paas("apps:create", "shop")
    paas.paas("releases:set", "shop", "retention", str(RETENTION))
    deploy(git, range(RETENTION))
    tidy_up(paas)
    return git


def deploy(git: Git, numbers: range) -> None:
    for number in numbers:
        write_version(git, f"v{number} {time.time()}")
        git.push()


def settle(paas: Instance) -> None:
    """Wait until old processes are gone."""
    wait_for(lambda: objects(paas)["containers"], 1)


def tidy_up(paas: Instance) -> None:
    """Start the daemon anew: then it does all that it does only at times."""
    settle(paas)
    paas.paas("stop")
    paas.paas("start")
    wait_for(lambda: objects(paas)["images"], RETENTION)
    wait_for(lambda: routes(paas), NARROW)  # more while something drains, until the next pass


def routes(paas: Instance) -> int:
    """Return how many service addresses lead somewhere: in the kernel, which comes after files."""
    listing = ["nft", "list", "map", "inet", table(load(paas.environ)), "web"]
    listed = subprocess.run(listing, capture_output=True, text=True, check=True, timeout=20)
    return len(ELEMENT.findall(listed.stdout))


def wait_for(look: Callable[[], object], wanted: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while (seen := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.2)
    assert seen == wanted


def memory_at_rest(paas: Instance) -> dict[str, float]:
    """Return the private MB of each process: less while a fork of the background shares pages."""
    background = processes(paas)["background"]
    wait_for(lambda: children(background), [])
    return private_memory(paas)


def things(paas: Instance) -> dict[str, int]:
    """Return what there is, files by name, without what goes up and down by a rule of its own."""
    found = {**objects(paas), **files(paas)}
    return {n: number for n, number in found.items() if not any(f.match(n) for f in RULES)}


def test_deploys_in_a_row_leave_everything_as_it_was(paas: Instance, app: Git) -> None:
    before = things(paas)
    deploy(app, range(WARM))  # what is opened on demand is open from now on
    settle(paas)
    held, size = descriptors(paas), memory_at_rest(paas)
    deploy(app, range(DEPLOYS))
    wait_for(lambda: descriptors(paas), held)
    grown = {n: mb for n, mb in memory_at_rest(paas).items() if mb > size[n] + MB}
    assert grown == {}
    tidy_up(paas)
    wait_for(lambda: things(paas), before)
