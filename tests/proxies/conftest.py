"""One throw-away instance per test."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.proxies.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An instance with its own nginx running and nothing published."""
    with ExitStack() as stack:
        made = World(tmp_path, stack)
        made.start_nginx()
        yield made
