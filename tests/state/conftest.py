from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.model import App
from paas.state.store import SqliteStore
from tests.builders import make_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = make_store(tmp_path)
    yield made
    made.close()


@pytest.fixture
def shop(store: SqliteStore) -> App:
    return store.apps.create("shop")
