"""The local door: what it says when nobody answers, and what it leaves behind."""

import os
import pty
import subprocess
import termios

import pytest

from paas.doors.local import kept_terminal
from tests.doors.running import Running

STRANGER = 54321  # no user has it


def test_without_a_daemon_the_door_names_the_command_that_starts_it(own: Running) -> None:
    done = own.local("apps:list")
    assert done.returncode == 75
    assert done.stderr == (
        b" !     paas does not answer (No such file or directory). On the host: paas start\n"
    )


def test_the_forced_command_without_a_command_is_no_shell(shared: Running) -> None:
    done = shared.openssh("")
    assert done.returncode == 1
    assert done.stderr == b" !     There is no shell here. Try the command: help\n"


def test_the_forced_command_needs_the_key_that_sshd_saw(shared: Running) -> None:
    argv = [*shared.local_argv, "door"]
    done = subprocess.run(argv, env=shared.environ, capture_output=True, timeout=30, check=False)
    assert done.returncode == 2


def by_stranger(own: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """Type `paas WORDS` as a user of the host who is neither root nor a door."""
    (own.root / "paas.toml").touch(mode=0o640)
    environ = {key: value for key, value in own.environ.items() if key != "PAAS_ROOT"}
    return subprocess.run(
        [*own.local_argv, *words],
        env=environ | {"SSH_ORIGINAL_COMMAND": "apps:list"},
        cwd="/",
        user=STRANGER,
        group=STRANGER,
        extra_groups=[],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("verb", ["apps:list", "status"])
def test_a_user_who_may_not_read_the_settings_is_told_to_be_root(own: Running, verb: str) -> None:
    done = by_stranger(own, verb)
    assert done.returncode == 1
    assert done.stderr == (
        f" !     Only root and the doors may read {own.root}/paas.toml\n"
        " !     Run it as root: sudo paas ...\n"
    )


def test_a_door_that_may_not_read_the_settings_names_the_command_that_mends_it(
    own: Running,
) -> None:
    done = by_stranger(own, "door", "--key", "SHA256:x")
    assert done.returncode == 1
    assert done.stderr == (
        f" !     The door may not read {own.root}/paas.toml. On the host: paas setup\n"
    )


def test_the_client_for_other_hosts_needs_no_settings(own: Running) -> None:
    assert by_stranger(own, "completion", "bash").returncode == 0
    assert "There is no git remote nowhere here" in by_stranger(own, "-r", "nowhere").stderr
    assert "'no host' is not a host" in by_stranger(own, "--host", "no host", "help").stderr


def test_closed_standard_streams_are_no_error(shared: Running) -> None:
    command = 'exec "$@" >&- 2>&- <&-'
    argv = ["sh", "-c", command, "sh", *shared.local_argv, "test:exit", "7"]
    assert subprocess.run(argv, env=shared.environ, timeout=30, check=False).returncode == 7


def test_no_color_and_language_reach_the_command_and_nothing_else_does(shared: Running) -> None:
    done = shared.local("test:environ", environ={"NO_COLOR": "1", "LD_PRELOAD_X": "evil"})
    assert b"NO_COLOR=1" in done.stdout
    assert b"evil" not in done.stdout


def test_a_terminal_gets_its_modes_back() -> None:
    master, slave = pty.openpty()
    saved = os.dup(0)
    os.dup2(slave, 0)
    try:
        before = termios.tcgetattr(0)
        with kept_terminal() as tty:
            assert tty
            raw = termios.tcgetattr(0)
            raw[3] = 0
            termios.tcsetattr(0, termios.TCSANOW, raw)
        assert termios.tcgetattr(0) == before
    finally:
        os.dup2(saved, 0)
        for descriptor in (master, slave, saved):
            os.close(descriptor)


def test_a_verb_imports_next_to_nothing(shared: Running) -> None:
    argv = [shared.local_argv[0], "-X", "importtime", "-m", "paas", "help"]
    done = subprocess.run(argv, env=shared.environ, capture_output=True, timeout=30, check=False)
    imported = {line.rpartition(b"|")[2].strip().decode() for line in done.stderr.splitlines()}
    ours = {name for name in imported if name.startswith("paas")}
    assert ours == {"paas", "paas.doors", "paas.doors.wire", "paas.doors.local", "paas.root"}
    assert not imported & {"dataclasses", "pathlib", "tomllib", "click", "typing", "inspect"}
