"""Going to another version: what may be given, and that its bootstrap.sh is what runs."""

import os
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from paas.errors import PaasError, UsageError
from paas.settings import Settings
from paas.state.migrate import FOLDER
from paas.upgrade import MIGRATIONS, UNPACKED, upgrade
from paas.wiring import build_platform


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path / "data", instance="upgraded")


def release(folder: Path, status: int = 0) -> Path:
    """Lay out a version whose bootstrap.sh notes how it was called."""
    folder.mkdir()
    program = folder / "bootstrap.sh"
    program.write_text(f'#!/bin/sh\necho "$0 $*" > {folder.parent}/called\nexit {status}\n')
    return folder


def packed(folder: Path) -> Path:
    archive = folder.with_name("paas.tar.gz")
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "paas-1.0")
    return archive


def test_a_checkout_s_own_program_is_run(tmp_path: Path, settings: Settings) -> None:
    """Also where nothing may be executed, as /var/tmp of many hosts: here its mode forbids it."""
    folder = release(tmp_path / "new")
    assert upgrade(settings, [str(folder)]) == 0
    assert (tmp_path / "called").read_text() == f"{folder}/bootstrap.sh --no-demo\n"


def test_its_exit_status_is_ours(tmp_path: Path, settings: Settings) -> None:
    assert upgrade(settings, [str(release(tmp_path / "new", status=3))]) == 3


def test_a_release_is_unpacked_and_nothing_of_it_stays(tmp_path: Path, settings: Settings) -> None:
    left = UNPACKED / f"paas-upgrade-{settings.instance}-killed"
    left.mkdir(exist_ok=True)
    os.utime(left, (0, 0))
    other = UNPACKED / f"paas-upgrade-{settings.instance}-at-work"
    other.mkdir()
    assert upgrade(settings, [str(packed(release(tmp_path / "paas-1.0")))]) == 0
    called = Path((tmp_path / "called").read_text().split()[0])
    assert called.name == "bootstrap.sh"
    assert not called.exists()
    assert not left.exists()
    other.rmdir()  # it stayed


def test_what_leads_out_of_an_archive_writes_nothing_there(
    tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / "aim").mkdir()
    archive, evil = tmp_path / "evil.tar", release(tmp_path / "evil") / "bootstrap.sh"
    with tarfile.open(archive, "w") as tar:
        link = tarfile.TarInfo("paas-1.0/out")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "aim")
        tar.addfile(link)
        for name in ("paas-1.0/out/1", "../2", f"{tmp_path}/aim/3"):
            tar.add(evil, name)
    with pytest.raises(UsageError):
        upgrade(settings, [str(archive)])
    assert list((tmp_path / "aim").iterdir()) == []
    assert list(UNPACKED.glob(f"paas-upgrade-{settings.instance}-*")) == []


def test_a_version_too_old_for_the_database_changes_nothing(
    tmp_path: Path, settings: Settings
) -> None:
    settings.root.mkdir()
    with closing(build_platform(settings).store) as store:
        store.make()
        store.apps.list()
    folder = release(tmp_path / "old")
    older = folder / MIGRATIONS
    older.mkdir(parents=True)
    for file in sorted(FOLDER.glob("*.sql"))[:-1]:
        (older / file.name).write_text(file.read_text())
    with pytest.raises(PaasError, match="newer paas"):
        upgrade(settings, [str(folder)])
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("args", [[], ["a", "b"], ["/nonexistent"], ["/etc"], ["/etc/hostname"]])
def test_what_is_no_version_is_refused(settings: Settings, args: list[str]) -> None:
    with pytest.raises(UsageError):
        upgrade(settings, args)
