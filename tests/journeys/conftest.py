"""One installation per journey file: each tells a story of its own."""

from collections.abc import Iterator

import pytest

from tests.journeys.instance import Instance, running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here as a journey."""
    for item in items:
        if "journeys" in item.path.parts:
            item.add_marker(pytest.mark.journey)


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    with running() as instance:
        yield instance
