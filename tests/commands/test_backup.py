from pathlib import Path

from paas.model import App
from tests.commands.conftest import Person


def test_a_backup_is_a_file_for_root_alone(paas: Person, shop: App, tmp_path: Path) -> None:
    file = tmp_path / "paas.tar"
    typed = paas("backup:export", str(file))
    assert typed.status == 0, typed.err
    assert file.stat().st_mode & 0o777 == 0o600
    assert "1 apps" in typed.err
    assert list(tmp_path.glob(".*.part")) == []


def test_paths_must_be_whole_and_writable(paas: Person, shop: App, tmp_path: Path) -> None:
    assert "/the/whole/path/paas.tar" in paas("backup:export", "paas.tar").err
    assert paas("backup:export", str(tmp_path / "none" / "paas.tar")).status == 2
    assert paas("backup:import", str(tmp_path / "none.tar")).status == 2


def test_an_instance_with_apps_refuses_an_import(paas: Person, shop: App, tmp_path: Path) -> None:
    file = str(tmp_path / "paas.tar")
    paas("backup:export", file)
    typed = paas("backup:import", file)
    assert typed.status == 1
    assert "has apps already" in typed.err


def test_only_root_may_have_all_secrets(paas: Person, shop: App, tmp_path: Path) -> None:
    assert paas.over_ssh("backup:export", str(tmp_path / "paas.tar")).status == 1
    assert paas.over_ssh("backup:import", str(tmp_path / "paas.tar")).status == 1
    assert not (tmp_path / "paas.tar").exists()
