"""The order of setup's steps, and what it refuses before the first."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from paas.errors import Outdated
from paas.settings import Settings
from paas.setup import STEPS, main
from paas.setup.restore import restore
from tests.builders import make_store


def test_the_daemon_of_before_can_read_the_database_while_images_are_made() -> None:
    """Images take minutes; from the database's step on it is answered that paas is newer."""
    titles = [title for title, _ in STEPS]
    assert titles[-2:] == ["Database", "Firewall and vhosts"]


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    config = tmp_path / "paas.toml"
    yield Settings(root=tmp_path / "data", config=config, nginx_conf=tmp_path / "nginx.conf")
    assert not config.exists()


def test_an_older_paas_changes_nothing(settings: Settings) -> None:
    settings.root.mkdir()
    with closing(make_store(settings.root)) as store:
        store.apps.list()
    with closing(sqlite3.connect(settings.database)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(Outdated):
        main(settings, [])
    assert {path.name.partition("-")[0] for path in settings.root.iterdir()} == {"paas.db"}


def test_a_boot_without_the_data_root_fails_and_is_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(root=tmp_path / "data", config=tmp_path / "paas.toml")
    assert restore(settings) == 0  # before the first setup
    settings.config.touch()
    assert restore(settings) == 1
    assert "is its disk mounted?" in capsys.readouterr().err
