"""Whom setup takes for the doors' user: it may say of whoever comes that they have any key."""

import pwd
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.errors import UsageError
from paas.settings import Settings
from paas.setup.host import add_door_user


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """An installation whose doors' user is not there yet."""
    settings = Settings(root=tmp_path / "data", door_user=f"paas-t{secrets.token_hex(3)}")
    yield settings
    subprocess.run(["userdel", settings.door_user], check=False, timeout=60)


def add_user(name: str, home: str | Path, shell: str) -> None:
    command = ["useradd", "--no-create-home", "--home-dir", str(home), "--shell", shell, name]
    subprocess.run(command, check=True, timeout=60)


def test_the_user_is_made_once(settings: Settings) -> None:
    said: list[str] = []
    add_door_user(settings, said.append)
    assert said == [f"added {settings.door_user}"]
    add_door_user(settings, said.append)
    assert len(said) == 1
    assert pwd.getpwnam(settings.door_user).pw_shell.endswith("nologin")


@pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh", ""])
def test_somebody_s_login_does_not_become_the_doors_user(settings: Settings, shell: str) -> None:
    add_user(settings.door_user, "/home/paas", shell)
    with pytest.raises(UsageError, match="was there before paas: its home is /home/paas") as caught:
        add_door_user(settings, pytest.fail)
    assert "door_user" in caught.value.hint


@pytest.mark.parametrize("shell", ["/usr/sbin/nologin", "/bin/false"])
def test_a_user_as_which_nobody_can_log_in_is_taken(settings: Settings, shell: str) -> None:
    add_user(settings.door_user, "/nonexistent", shell)
    add_door_user(settings, pytest.fail)


def test_the_user_of_the_openssh_door_stays_the_doors_user(settings: Settings) -> None:
    add_user(settings.door_user, settings.door, "/bin/sh")
    add_door_user(settings, pytest.fail)
