"""What of the data root goes with paas, and what is somebody's."""

import subprocess
from pathlib import Path

import pytest

from paas.errors import EngineUnavailable, PaasError
from paas.settings import Settings
from paas.setup.remove import _leave_engine, remove_data


def installed(root: Path) -> Settings:
    for name in ("repos/1.git", "run/locks", "volumes/files", "demo"):
        (root / name).mkdir(parents=True)
    for name in ("paas.db", "paas.db-wal", "paas.db.schema-9", ".paas.db.copy", "build-cache.json"):
        (root / name).touch()
    (root.parent / "paas.toml").touch()
    return Settings(root=root, config=root.parent / "paas.toml")


def test_the_root_and_the_settings_are_gone(tmp_path: Path) -> None:
    remove_data(installed(tmp_path / "data"), str)
    assert list(tmp_path.iterdir()) == []


def test_a_setup_that_stopped_at_its_first_step_can_be_removed(tmp_path: Path) -> None:
    remove_data(Settings(root=tmp_path / "data", config=tmp_path / "paas" / "paas.toml"), str)
    assert list(tmp_path.iterdir()) == []


def test_what_somebody_else_keeps_in_the_same_folder_stays(tmp_path: Path) -> None:
    settings, said = installed(tmp_path / "srv"), list[str]()
    (settings.root / "photos").mkdir()
    remove_data(settings, said.append)
    assert [path.name for path in settings.root.iterdir()] == ["photos"]
    assert any("photos" in line for line in said)


def test_a_root_that_is_a_link_to_another_disk_is_emptied(tmp_path: Path) -> None:
    installed(tmp_path / "disk")
    link = tmp_path / "data"
    link.symlink_to(tmp_path / "disk")
    remove_data(Settings(root=link, config=tmp_path / "paas.toml"), str)
    assert list((tmp_path / "disk").iterdir()) == []
    assert not (tmp_path / "paas.toml").exists()


def test_a_second_run_finds_nothing_and_fails_at_nothing(tmp_path: Path) -> None:
    settings = installed(tmp_path / "data")
    remove_data(settings, str)
    remove_data(settings, str)


def test_a_host_whose_engine_is_gone_can_be_left(tmp_path: Path) -> None:
    said: list[str] = []
    gone = Settings(engine=f"unix://{tmp_path}/docker.sock")
    _leave_engine(gone, said.append, keep_volumes=False)
    assert "there is no engine" in said[0]
    (tmp_path / "docker.sock").touch()  # an engine that is down would keep what it has
    with pytest.raises(EngineUnavailable):
        _leave_engine(gone, said.append, keep_volumes=False)


def test_what_cannot_be_removed_is_named(tmp_path: Path) -> None:
    settings = installed(tmp_path / "data")
    busy = settings.root / "volumes" / "files"
    subprocess.run(["mount", "-t", "tmpfs", "none", str(busy)], check=True, timeout=20)
    try:
        with pytest.raises(PaasError, match="files cannot be removed"):
            remove_data(settings, str)
    finally:
        subprocess.run(["umount", str(busy)], check=True, timeout=20)
