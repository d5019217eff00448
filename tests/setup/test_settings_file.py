"""Who may read paas.toml: https_proxy in it may hold a password."""

import os
import pwd
import stat
from pathlib import Path

import pytest

from paas.settings import Settings
from paas.setup.files import write_settings

GROUP = pwd.getpwnam("nobody").pw_gid


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        config=tmp_path / "etc" / "paas.toml",
        door_user="nobody",
        https_proxy="http://anna:secret@proxy:3128",
    )


def access(file: Path) -> tuple[int, int, int]:
    status = file.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def test_only_root_and_the_doors_may_read_the_settings(settings: Settings) -> None:
    write_settings(settings, str)
    assert access(settings.config) == (0, GROUP, 0o640)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_the_umask_does_not_matter(settings: Settings, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_settings(settings, str)
    finally:
        os.umask(before)
    assert access(settings.config) == (0, GROUP, 0o640)


@pytest.mark.parametrize(("uid", "gid", "mode"), [(0, GROUP, 0o644), (0, 0, 0o640), (1, 1, 0o600)])
def test_a_file_that_others_may_read_or_the_doors_may_not_is_mended_once(
    settings: Settings, uid: int, gid: int, mode: int
) -> None:
    write_settings(settings, str)
    os.chown(settings.config, uid, gid)
    settings.config.chmod(mode)
    said: list[str] = []
    write_settings(settings, said.append)
    assert access(settings.config) == (0, GROUP, 0o640)
    assert said == [f"{settings.config} is for root and the doors alone now"]
    said.clear()
    write_settings(settings, said.append)
    assert said == []
