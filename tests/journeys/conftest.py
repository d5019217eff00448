"""One installation per journey file: each tells a story of its own."""

from collections.abc import Iterator

import pytest

from tests.journeys.instance import Instance, running


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    with running() as instance:
        yield instance
