"""start, stop and status of a real daemon with its real adapters, in a root of its own."""

import subprocess
from pathlib import Path

import pytest

from paas import service
from paas.errors import Unavailable
from paas.root import socket_path
from paas.settings import load
from tests.builders import make_store
from tests.doors.running import Running, make_own

__all__ = ["make_own"]


def test_start_waits_until_the_daemon_answers_and_stop_until_it_is_gone(own: Running) -> None:
    make_store(own.root)
    started = own.local("start")
    assert started.returncode == 0, started.stderr
    pid = int((own.root / "run" / "paas.pid").read_text())
    assert started.stdout == f"paas runs as pid {pid}\n".encode()
    assert own.local("help").returncode == 0
    assert own.local("start").stdout == b"paas runs already\n"
    stopped = own.local("stop")
    assert stopped.stdout == b"paas is stopped; apps keep running\n"
    assert own.local("help").returncode == 75


def test_status_says_where_the_doors_are_and_exits_3_when_they_are_shut(own: Running) -> None:
    shut = own.local("status")
    assert shut.returncode == 3
    assert shut.stdout.startswith(b"=====> paas does not run\n")
    make_store(own.root)
    own.local("start")
    try:
        up = own.local("status")
    finally:
        own.local("stop")
    assert up.returncode == 0
    assert f"port {own.port}" in up.stdout.decode()
    assert str(own.socket) in up.stdout.decode()


def test_a_daemon_that_cannot_start_says_why(own: Running) -> None:
    make_store(own.root)
    done = own.local("start", environ={"PAAS_SSH_LISTEN": "192.0.2.1"})
    assert done.returncode == 75
    assert b"Cannot listen on 192.0.2.1" in done.stderr
    assert b"Set ssh_listen" in done.stderr
    assert not (own.root / "run" / "paas.sock").exists()


def test_a_daemon_without_its_data_does_not_start_and_makes_none(own: Running) -> None:
    """Their disk may not be mounted yet; an empty database would have all apps removed."""
    done = own.local("serve")
    assert done.returncode == 75
    assert b"There is no database" in done.stderr
    assert b"Is its disk mounted?" in done.stderr
    assert not (own.root / "run").exists()
    assert not list(own.root.glob("paas.db*"))


def test_stop_believes_the_lock_and_not_the_number(own: Running) -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    (own.root / "run").mkdir()
    (own.root / "run" / "paas.pid").write_text(f"{sleeper.pid}\n")
    assert own.local("stop").stdout == b"paas does not run\n"
    assert sleeper.poll() is None
    sleeper.kill()
    sleeper.wait()


def test_a_verb_of_the_service_takes_nothing_behind_it(own: Running) -> None:
    done = own.local("stop", "now")
    assert done.returncode == 2
    assert done.stderr == b" !     stop takes nothing behind it\n !     Type: paas stop\n"


def test_the_doors_and_the_settings_agree_on_the_socket(own: Running) -> None:
    file = own.root / "paas.toml"
    file.write_text('root = "/srv/here"\n')
    for environ in ({"PAAS_CONFIG": str(file)}, {"PAAS_ROOT": "/srv/there"}, {}):
        given = {"PAAS_CONFIG": "/nowhere", **environ}
        assert socket_path(given) == str(load(given).socket)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose systemd has our unit; what systemctl was told stands in the returned file."""
    told, unit = tmp_path / "told", tmp_path / "paas.service"
    unit.touch()
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" > {told}\n[ ! -e {tmp_path}/broken ]\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(service, "SYSTEMD", tmp_path)
    monkeypatch.setattr(service, "UNIT", unit)
    monkeypatch.setattr(service, "holder", lambda _: None)  # this machine may run a paas
    return told


def test_where_systemd_keeps_the_daemon_it_starts_it(
    systemd: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert service.start(load({})) == 0
    assert systemd.read_text() == "start paas.service\n"
    assert "by systemd's paas.service" in capsys.readouterr().out


def test_what_systemd_could_not_start_is_told(systemd: Path) -> None:
    systemd.with_name("broken").touch()
    with pytest.raises(Unavailable, match="systemd did not start"):
        service.start(load({}))


def test_an_instance_with_settings_of_its_own_is_not_the_unit_s(
    systemd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAAS_ROOT", str(systemd.parent / "root"))
    monkeypatch.setenv("PAAS_SSH_LISTEN", "192.0.2.1")  # of nobody: the daemon cannot start there
    with pytest.raises(Unavailable, match="The daemon did not start"):
        service.start(load())
    assert not systemd.exists()
