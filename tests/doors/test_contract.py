"""The same request through every door: the same output, the same exit status."""

import hashlib
import os
import shlex

import pytest

from tests.doors.running import Done, Running

COMMANDS = [
    (
        "test:echo",
        "plain",
        "with space",
        "ünïcode",
        "'quotes'",
        "$(id)",
        "`id`",
        ";id",
        "a\nb",
        "*",
    ),
    ("test:exit", "0"),
    ("test:exit", "42"),
    ("test:missing",),
    ("test:nothing",),
    ("test:echo", "--wrong"),
    ("test",),
    ("help",),
    (),
]


def through(door: str, running: Running, argv: tuple[str, ...], data: bytes = b"") -> Done:
    if door == "local":
        return running.local(*argv, data=data)
    typed = (
        shlex.join(argv) or "help"
    )  # an empty command asks for a shell; locally it asks for help
    return (running.ssh if door == "ssh" else running.openssh)(typed, data=data)


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("door", ["openssh", "ssh"])
def test_every_door_gives_the_same_answer(
    shared: Running, door: str, argv: tuple[str, ...]
) -> None:
    here, there = through("local", shared, argv), through(door, shared, argv)
    assert there.stdout == here.stdout.replace(b"root", b"ann", 1)
    assert there.stderr == here.stderr
    assert there.returncode == here.returncode


@pytest.mark.parametrize("door", ["local", "openssh", "ssh"])
def test_20_megabytes_of_binary_pass_both_ways_unchanged(shared: Running, door: str) -> None:
    blob = os.urandom(20_000_000)
    done = through(door, shared, ("test:digest",), blob)
    head, _, body = done.stdout.partition(b"\n")
    assert head.decode() == f"20000000 {hashlib.sha256(blob).hexdigest()}"
    assert body == blob


@pytest.mark.parametrize("door", ["local", "openssh", "ssh"])
def test_an_end_of_input_without_a_byte_reaches_the_command(shared: Running, door: str) -> None:
    assert through(door, shared, ("test:digest",)).stdout.startswith(b"0 e3b0c442")


@pytest.mark.parametrize("door", ["openssh", "ssh"])
def test_a_verb_for_the_host_is_refused_to_a_key_and_not_to_root(
    shared: Running, door: str
) -> None:
    assert through("local", shared, ("test:host",)).stdout == b"touched\n"
    refused = through(door, shared, ("test:host",))
    assert refused.returncode == 1
    assert refused.stdout == b""
    assert refused.stderr.startswith(b" !     test:host can only be used by root on the host\n")


@pytest.mark.parametrize("door", ["local", "openssh", "ssh"])
def test_a_command_longer_than_8_kib_is_refused(shared: Running, door: str) -> None:
    refused = through(door, shared, ("test:echo", "x" * 9000))
    assert refused.returncode == 1
    assert b"longer than 8 KiB" in refused.stderr


@pytest.mark.parametrize("door", ["openssh", "ssh"])
def test_a_command_that_cannot_be_split_is_a_usage_error(shared: Running, door: str) -> None:
    done = getattr(shared, door)("test:echo 'open")
    assert done.returncode == 2
    assert b"cannot be read: No closing quotation" in done.stderr


@pytest.mark.parametrize("door", ["local", "openssh", "ssh"])
def test_an_error_nobody_planned_shows_one_number_and_no_traceback(
    shared: Running, door: str
) -> None:
    done = through(door, shared, ("test:bug",))
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"never see" not in done.stderr
    number = done.stderr.rsplit(b" ", 1)[1].strip().decode()
    assert f"error {number} in ('test:bug',)" in shared.log
    assert "the cause that users never see" in shared.log
