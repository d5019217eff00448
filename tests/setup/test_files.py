import os
import tomllib
from pathlib import Path

import pytest

from paas.errors import Unavailable
from paas.keys import write_authorized_keys
from paas.locks import Locks
from paas.pidfile import hold_pid_file
from paas.proxies.nginx import NginxProxy
from paas.settings import Settings, load
from paas.setup.files import make_directories, make_host_key, trust_host, write_settings
from tests.builders import make_store


def settings_in(folder: Path, **values: str) -> Settings:
    environ = {f"PAAS_{key.upper()}": value for key, value in values.items()}
    return load(
        {
            "PAAS_ROOT": str(folder / "data"),
            "PAAS_CONFIG": str(folder / "etc" / "paas.toml"),
            "PAAS_DOOR_USER": "nobody",
            **environ,
        }
    )


def test_directories_are_made_once(tmp_path: Path) -> None:
    said: list[str] = []
    make_directories(settings_in(tmp_path), said.append)
    assert said
    said.clear()
    make_directories(settings_in(tmp_path), said.append)
    assert said == []


def test_a_loosened_directory_is_closed_again(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    make_directories(settings, str)
    settings.repos.chmod(0o777)
    make_directories(settings, str)
    assert settings.repos.stat().st_mode & 0o777 == 0o700


def test_the_doors_user_gets_through_the_root_but_cannot_list_it(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    make_directories(settings, str)
    assert settings.root.stat().st_mode & 0o007 == 0o001
    assert settings.logs.stat().st_mode & 0o077 == 0


def test_every_stage_has_a_hook_directory_that_only_root_may_write(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    make_directories(settings, str)
    folder = settings.hooks / "pre-build.d"
    assert folder.stat().st_mode & 0o022 == 0


def test_the_settings_in_use_are_written_and_read_back(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, domain="apps.example.org", ssh_port="2300")
    write_settings(settings, str)
    again = load({"PAAS_CONFIG": str(settings.config)})
    assert again == settings


def test_a_second_run_leaves_the_file_alone(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, domain="apps.example.org")
    write_settings(settings, str)
    before, said = settings.config.stat().st_mtime_ns, list[str]()
    write_settings(settings, said.append)
    assert (settings.config.stat().st_mtime_ns, said) == (before, [])


def test_the_owner_s_comments_stay_when_a_value_changes(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, domain="new.example.org")
    settings.config.parent.mkdir()
    settings.config.write_text('# ours since March\ndomain = "old.example.org"\nmax_builds = 1\n')
    write_settings(settings_in(tmp_path, domain="new.example.org"), str)
    text = settings.config.read_text()
    assert text.startswith('# ours since March\ndomain = "new.example.org"\n')
    assert tomllib.loads(text)["max_builds"] == 1


def test_a_value_with_a_backslash_is_written_as_it_is(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, engine=r"unix:///run/a\1.sock")
    write_settings(settings, str)
    write_settings(settings, str)
    assert load({"PAAS_CONFIG": str(settings.config)}).engine == r"unix:///run/a\1.sock"


def test_the_host_key_is_kept(tmp_path: Path) -> None:
    settings, said = settings_in(tmp_path), list[str]()
    make_host_key(settings, said.append)
    key = (settings.door / "ssh_host_ed25519_key").read_bytes()
    make_host_key(settings, said.append)
    assert (settings.door / "ssh_host_ed25519_key").read_bytes() == key
    assert len(said) == 1


def test_a_missing_ca_bundle_is_named_with_what_to_do(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, ca_bundle=str(tmp_path / "none.crt"))
    with pytest.raises(Unavailable, match=r"none\.crt") as caught:
        trust_host(settings, str)
    assert "apt-get install ca-certificates" in caught.value.hint


def test_nobody_but_root_can_hold_a_lock(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    make_directories(settings, str)
    with NginxProxy(settings)._writing(), Locks(settings.locks).app(1, "anna", "push"):
        pass
    write_authorized_keys(settings, make_store(settings.root).keys)
    os.close(hold_pid_file(settings.pid_file))
    closed = settings.locks.stat().st_mode & 0o077 == 0
    files = [file for file in settings.run.rglob("*") if file.is_file()]
    assert len(files) >= 4
    assert all(
        file.is_relative_to(settings.locks) or not file.stat().st_mode & 0o077 for file in files
    )
    assert closed
