"""What the contract suite of schedulers gets, each test by each scheduler."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.engines import ENGINES
from tests.contracts.scheduler_world import APP, SHARED, World, engine_world, fake_world
from tests.fakes.files import Files


@pytest.fixture(
    params=["fake", *(pytest.param(url, marks=pytest.mark.engine) for url in ENGINES)],
    ids=lambda url: str(url).rpartition("/")[2],
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = fake_world() if request.param == "fake" else engine_world(request.param)
    try:
        yield made
    finally:
        made.scheduler.destroy(APP)
        made.scheduler.remove_shared(SHARED)
        made.by_hand.close()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    with Files(tmp_path) as made:
        yield made
