"""The drop-in for the host's sshd: tested by the real sshd before anything is in its place."""

import pwd
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from paas.errors import Unavailable, UsageError
from paas.settings import Settings
from paas.setup.host import add_door_user
from paas.setup.openssh import open_openssh_door


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A host's /etc/ssh as Debian lays it out."""
    folder = tmp_path / "ssh"
    (folder / "sshd_config.d").mkdir(parents=True)
    (folder / "sshd_config").write_text(f"Include {folder}/sshd_config.d/*.conf\nUsePAM yes\n")
    return folder


@contextmanager
def made(root: Path) -> Iterator[Settings]:
    """An installation with a doors' user as setup makes it."""
    settings = Settings(root=root, door_user=f"paas-t{secrets.token_hex(3)}", openssh=True)
    add_door_user(settings, str)
    try:
        yield settings
    finally:
        subprocess.run(["userdel", settings.door_user], check=True, timeout=60)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    with made(tmp_path / "data") as settings:
        yield settings


def drop_in(etc: Path) -> Path:
    return etc / "sshd_config.d" / "60-paas.conf"


def test_the_drop_in_is_written_once_and_taken_away_again(etc: Path, settings: Settings) -> None:
    before, said = (etc / "sshd_config").read_bytes(), list[str]()
    open_openssh_door(settings, said.append, etc)
    text = drop_in(etc).read_text()
    assert text.startswith("# Written by paas")
    assert f"AuthorizedKeysFile {settings.door}/authorized_keys" in text
    said.clear()
    open_openssh_door(settings, said.append, etc)
    assert said == []
    open_openssh_door(replace(settings, openssh=False), said.append, etc)
    assert not drop_in(etc).exists()
    assert (etc / "sshd_config").read_bytes() == before


def test_it_concerns_the_doors_user_alone(etc: Path, settings: Settings) -> None:
    open_openssh_door(settings, str, etc)
    lines = drop_in(etc).read_text().splitlines()
    assert lines[1] == f"Match User {settings.door_user}"
    assert lines[-1] == "Match all"


def test_a_configuration_that_sshd_refuses_already_is_left_alone(
    etc: Path, settings: Settings
) -> None:
    with (etc / "sshd_config").open("a") as file:
        file.write("Nonsense yes\n")
    with pytest.raises(Unavailable, match="nothing was changed"):
        open_openssh_door(settings, str, etc)
    assert not drop_in(etc).exists()


def test_a_path_that_sshd_cannot_read_is_seen_before_it_is_in_place(etc: Path) -> None:
    with (
        made(Path('/a "b')) as settings,
        pytest.raises(Unavailable, match="nothing was changed"),
    ):
        open_openssh_door(settings, str, etc)
    assert list((etc / "sshd_config.d").iterdir()) == []


def test_a_host_that_reads_no_drop_ins_is_told_which_line_is_missing(
    etc: Path, settings: Settings
) -> None:
    (etc / "sshd_config").write_text("UsePAM yes\n")
    with pytest.raises(Unavailable) as seen:
        open_openssh_door(settings, str, etc)
    assert f"Include {etc}/sshd_config.d/*.conf" in seen.value.hint


def test_without_openssh_nothing_is_touched(etc: Path, settings: Settings) -> None:
    open_openssh_door(replace(settings, openssh=False), pytest.fail, etc)
    assert list((etc / "sshd_config.d").iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "Match User paas-*\n    ForceCommand internal-sftp",
        "Match all\n    TrustedUserCAKeys /etc/ssh/ca.pub",
        "Match all\n    AcceptEnv LD_*",
        "AllowUsers root",
        "AllowGroups sudo",
        "DenyUsers paas*",
    ],
)
def test_a_part_of_the_host_s_own_that_speaks_first_is_named(
    etc: Path, settings: Settings, text: str
) -> None:
    """Of two Match blocks sshd takes the first; the lists of users concern all."""
    (etc / "sshd_config.d" / "10-own.conf").write_text(f"{text}\n")
    with pytest.raises(Unavailable, match="speaks for") as seen:
        open_openssh_door(settings, str, etc)
    key, value = text.split()[-2:]
    assert f"{key.lower()} {value}" in seen.value.details
    assert [file.name for file in (etc / "sshd_config.d").iterdir()] == ["10-own.conf"]
    assert pwd.getpwnam(settings.door_user).pw_shell.endswith("nologin")


def test_what_holds_for_all_users_does_not_hold_for_the_door(etc: Path, settings: Settings) -> None:
    own = "ForceCommand internal-sftp\nTrustedUserCAKeys /ca\nPermitTTY no\nAllowUsers *\n"
    (etc / "sshd_config.d" / "10-own.conf").write_text(own)
    open_openssh_door(settings, str, etc)
    assert drop_in(etc).exists()
    assert pwd.getpwnam(settings.door_user).pw_shell == "/bin/sh"


def test_somebody_s_own_login_does_not_become_the_door(etc: Path, settings: Settings) -> None:
    with pytest.raises(UsageError, match="root was there before paas: its home is /root"):
        open_openssh_door(replace(settings, door_user="root"), str, etc)
    assert list((etc / "sshd_config.d").iterdir()) == []


def test_a_setup_that_was_killed_before_sshd_read_the_file_is_finished_by_the_next(
    etc: Path, settings: Settings
) -> None:
    open_openssh_door(settings, str, etc)
    unread, said = etc / "sshd_config.d" / "60-paas.unread", list[str]()
    unread.touch()
    open_openssh_door(settings, said.append, etc)
    assert said == [f"wrote {drop_in(etc)}"]
    assert not unread.exists()


def test_it_goes_from_an_sshd_that_is_broken_and_from_a_user_that_is_gone(
    etc: Path, settings: Settings
) -> None:
    open_openssh_door(settings, str, etc)
    (etc / "sshd_config").write_text("Nonsense yes\n")
    gone = replace(settings, openssh=False, door_user="paas-is-gone")
    open_openssh_door(gone, str, etc)
    assert list((etc / "sshd_config.d").iterdir()) == []
