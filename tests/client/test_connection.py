import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.client.connection import command_line, private_folder
from paas.client.remote import Host

HOST = Host("paas", "example.org", 2222)


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory with a short path: those of sockets are limited."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_ssh_gets_one_quoted_command_behind_the_end_of_its_options() -> None:
    line = command_line(HOST, ["config:set", "A=it's $HOME"], tty=False, environ={})
    assert line[:3] == ["ssh", "-p", "2222"]
    assert line[-3:] == ["--", "paas@example.org", "config:set 'A=it'\"'\"'s $HOME'"]


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_the_door_reads_the_words_that_were_typed(words: list[str]) -> None:
    line = command_line(HOST, words, tty=False, environ={})
    assert shlex.split(line[-1]) == words
    assert line[-3] == "--"


def test_a_terminal_is_asked_for_only_when_there_is_one() -> None:
    assert "-t" in command_line(HOST, ["run"], tty=True, environ={})
    assert "-T" in command_line(HOST, ["run"], tty=False, environ={})


def test_ipv6_addresses_lose_their_brackets_and_an_unset_port_is_left_to_ssh() -> None:
    line = command_line(Host("paas", "[2001:db8::1]", None), ["help"], tty=False, environ={})
    assert line[-2] == "paas@2001:db8::1"
    assert "-p" not in line


def test_the_connection_is_shared_over_a_socket_in_a_private_directory(short: Path) -> None:
    line = command_line(HOST, ["help"], tty=False, environ={"XDG_RUNTIME_DIR": str(short)})
    assert f"ControlPath={short}/paas-ssh/%C" in line
    assert (short / "paas-ssh").stat().st_mode & 0o777 == 0o700


def test_another_program_can_take_ssh_s_place() -> None:
    line = command_line(HOST, ["help"], tty=False, environ={"PAAS_SSH": "ssh -i 'my key'"})
    assert line[:3] == ["ssh", "-i", "my key"]


def test_no_connection_is_shared_where_others_could_reach_it(short: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(short)}
    folder = short / "paas-ssh"
    assert private_folder(environ) == str(folder)
    folder.chmod(0o770)
    assert private_folder(environ) is None
    folder.rmdir()
    folder.symlink_to("/tmp")
    assert private_folder(environ) is None


@pytest.mark.parametrize("base", ["relative", "/tmp/%h", "/tmp/a b", "/tmp/" + "x" * 80])
def test_a_directory_that_ssh_would_misread_is_not_used(base: str) -> None:
    assert private_folder({"XDG_RUNTIME_DIR": base}) is None
