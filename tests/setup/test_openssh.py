"""The drop-in for the host's sshd: tested by the real sshd before anything is in its place."""

import pwd
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from paas.errors import Unavailable, UsageError
from paas.settings import Settings
from paas.setup import openssh, sshd
from paas.setup.host import add_door_user
from paas.setup.openssh import close_openssh_door, open_openssh_door
from tests.claims import free_port


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
    return etc / "sshd_config.d" / "00-paas.conf"


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
    own = etc / "sshd_config.d" / "00-own.conf"
    own.write_text(f"{text}\n")
    with pytest.raises(Unavailable, match="speaks for") as seen:
        open_openssh_door(settings, str, etc)
    key, value = text.split()[-2:]
    assert f"{key.lower()} {value}" in seen.value.details
    assert list((etc / "sshd_config.d").iterdir()) == [own]
    assert pwd.getpwnam(settings.door_user).pw_shell.endswith("nologin")


OTHER_NETWORK = (
    "Match Address 10.0.0.0/8\n    TrustedUserCAKeys /ca\n    PasswordAuthentication yes\n"
)
FROM_THERE = "user={user},host=x,addr=10.1.2.3,laddr=192.0.2.2,lport=22"


def test_a_block_of_the_host_s_own_for_some_addresses_comes_second(
    etc: Path, settings: Settings
) -> None:
    (etc / "sshd_config.d" / "10-own.conf").write_text(OTHER_NETWORK)
    open_openssh_door(settings, str, etc)
    ask = ("/usr/sbin/sshd", "-T", "-f", str(etc / "sshd_config"))
    said = sshd.run(*ask, "-C", FROM_THERE.format(user=settings.door_user)).stdout.splitlines()
    assert "trustedusercakeys none" in said
    assert "passwordauthentication no" in said


def test_a_block_for_some_addresses_that_comes_first_is_named(
    etc: Path, settings: Settings
) -> None:
    """Setup's question to sshd is about one address, and that block may fit another one."""
    own = etc / "sshd_config.d" / "00-own.conf"
    own.write_text(OTHER_NETWORK)
    with pytest.raises(Unavailable, match="before that of") as seen:
        open_openssh_door(settings, str, etc)
    assert seen.value.details == ("Match Address 10.0.0.0/8",)
    assert list((etc / "sshd_config.d").iterdir()) == [own]


@pytest.mark.parametrize("line", ["AllowGroups", "DenyGroups"])
def test_lists_of_groups_count_all_groups_of_the_user(
    etc: Path, settings: Settings, line: str
) -> None:
    group = f"{settings.door_user}-2"
    subprocess.run(["groupadd", "--users", settings.door_user, group], check=True, timeout=60)
    try:
        (etc / "sshd_config.d" / "10-own.conf").write_text(f"{line} {group}\n")
        if line == "AllowGroups":
            open_openssh_door(settings, str, etc)
        else:
            with pytest.raises(Unavailable, match="speaks for"):
                open_openssh_door(settings, str, etc)
    finally:
        subprocess.run(["groupdel", group], check=True, timeout=60)


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
    unread, said = etc / "sshd_config.d" / "00-paas.unread", list[str]()
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


@pytest.mark.parametrize("now", [None, "# Written by paas setup, before\n"])
def test_an_error_that_nobody_foresaw_leaves_what_was_there(
    etc: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, now: str | None
) -> None:
    if now:
        drop_in(etc).write_text(now)

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sshd, "require_effect", fail)
    with pytest.raises(KeyboardInterrupt):
        open_openssh_door(settings, str, etc)
    left = [file.read_text() for file in (etc / "sshd_config.d").iterdir()]
    assert left == ([now] if now else [])


def test_the_file_of_an_earlier_name_goes_and_one_of_the_owner_s_stays(
    etc: Path, settings: Settings
) -> None:
    old = etc / "sshd_config.d" / "60-paas.conf"
    old.write_text("X11Forwarding no\n")
    open_openssh_door(settings, str, etc)
    assert old.exists()
    drop_in(etc).rename(old)
    said: list[str] = []
    open_openssh_door(settings, said.append, etc)
    assert said == [f"removed {old}", f"wrote {drop_in(etc)}"]
    assert list((etc / "sshd_config.d").iterdir()) == [drop_in(etc)]
    drop_in(etc).rename(old)
    open_openssh_door(replace(settings, openssh=False), said.append, etc)
    assert list((etc / "sshd_config.d").iterdir()) == []


@pytest.fixture
def host(etc: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["subprocess.Popen[bytes]"]:
    """The sshd of a host without systemd, which setup takes for this machine's."""
    monkeypatch.setattr(openssh, "HOST", etc)
    monkeypatch.setattr(sshd, "PID_FILE", etc / "sshd.pid")
    monkeypatch.setattr(sshd, "SYSTEMD", etc / "none")
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(etc / "host_key")]
    subprocess.run(make, check=True, timeout=60)
    with (etc / "sshd_config").open("a") as file:
        file.write(f"ListenAddress 127.0.0.1\nPort {free_port()}\nPidFile {etc}/sshd.pid\n")
        file.write(f"HostKey {etc}/host_key\n")
    command = ["/usr/sbin/sshd", "-D", "-f", str(etc / "sshd_config")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        until((etc / "sshd.pid").exists)
        yield running
        running.send_signal(signal.SIGTERM)


@contextmanager
def reading_anew(etc: Path) -> Iterator[None]:
    """Wait until sshd has begun anew: the same process, but the file of its number is younger."""
    file = etc / "sshd.pid"
    before = file.stat().st_mtime_ns
    yield

    def is_younger() -> bool:
        with suppress(FileNotFoundError):  # it is just being replaced
            return file.stat().st_mtime_ns > before
        return False

    until(is_younger)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_sshd_reads_the_file_when_it_comes_and_when_it_goes(
    etc: Path, settings: Settings, host: "subprocess.Popen[bytes]"
) -> None:
    for wanted in (settings, replace(settings, openssh=False)):
        with reading_anew(etc):
            open_openssh_door(wanted, str, etc)
        assert host.poll() is None


def test_an_sshd_that_would_not_survive_reading_is_not_told_to(
    etc: Path, settings: Settings, host: "subprocess.Popen[bytes]"
) -> None:
    with reading_anew(etc):
        open_openssh_door(settings, str, etc)
    before = (etc / "sshd_config").read_text()
    (etc / "sshd_config").write_text(f"{before}Nonsense yes\n")
    gone, said = replace(settings, openssh=False), list[str]()
    open_openssh_door(gone, said.append, etc)
    with pytest.raises(subprocess.TimeoutExpired):
        host.wait(1)
    assert "sshd was not reloaded: it refuses its configuration" in said
    assert any("Nonsense" in line for line in said)
    assert not drop_in(etc).exists()
    (etc / "sshd_config").write_text(before)
    with reading_anew(etc):
        open_openssh_door(gone, said.append, etc)
    assert list((etc / "sshd_config.d").iterdir()) == []


def test_when_paas_leaves_nothing_is_left_to_be_finished(
    etc: Path, settings: Settings, host: "subprocess.Popen[bytes]"
) -> None:
    with reading_anew(etc):
        open_openssh_door(settings, str, etc)
    with (etc / "sshd_config").open("a") as file:
        file.write("Nonsense yes\n")
    close_openssh_door(settings, str, etc)
    assert list((etc / "sshd_config.d").iterdir()) == []
    with pytest.raises(subprocess.TimeoutExpired):
        host.wait(1)
