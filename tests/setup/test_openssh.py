"""The drop-in for the host's sshd: tested by the real sshd before anything is in its place."""

from dataclasses import replace
from pathlib import Path

import pytest

from paas.errors import Unavailable
from paas.settings import Settings
from paas.setup.openssh import open_openssh_door


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A host's /etc/ssh as Debian lays it out."""
    folder = tmp_path / "ssh"
    (folder / "sshd_config.d").mkdir(parents=True)
    (folder / "sshd_config").write_text(f"Include {folder}/sshd_config.d/*.conf\nUsePAM yes\n")
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(root=tmp_path / "data", door_user="nobody", openssh=True)


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
    assert lines[1] == "Match User nobody"
    assert lines[-1] == "Match all"


def test_a_configuration_that_sshd_refuses_already_is_left_alone(
    etc: Path, settings: Settings
) -> None:
    with (etc / "sshd_config").open("a") as file:
        file.write("Nonsense yes\n")
    with pytest.raises(Unavailable, match="nothing was changed"):
        open_openssh_door(settings, str, etc)
    assert not drop_in(etc).exists()


def test_a_path_that_sshd_cannot_read_is_seen_before_it_is_in_place(
    etc: Path, settings: Settings
) -> None:
    with pytest.raises(Unavailable, match="nothing was changed"):
        open_openssh_door(replace(settings, root=Path('/a "b')), str, etc)
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
