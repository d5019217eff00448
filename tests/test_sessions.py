import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paas import sessions
from paas.doors.control import Control, Interrupted
from paas.errors import Conflict
from paas.model import Actor, SshKey, Token
from paas.sessions import PLACES, end_commands
from tests.world import World, make_world

KEY = SshKey("anna", "ssh-ed25519", "", "SHA256:an/na+", 0.0)
OTHER = SshKey("ben", "ssh-ed25519", "", "SHA256:ben", 0.0)
TOKEN = Token(1, "ci", frozenset({"logs"}))
ENDED, OUTLIVED, LATE = 129, 0, 7


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@contextmanager
def at_work(world: World, key: SshKey, prepare: Callable[[Control], None]) -> Iterator[int]:
    """Let a command of this key be at work in a process of its own; give its pid."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        control = Control()
        status = LATE
        try:
            control.start()
            prepare(control)
            with world.platform.locks.place(key.fingerprint, PLACES):
                os.write(writer, b"x")
                signal.signal(signal.SIGALRM, lambda *_: os._exit(OUTLIVED))
                signal.alarm(1)
                threading.Event().wait(20)
        except Interrupted as interrupted:
            status = 128 + interrupted.signum
        finally:
            os._exit(status)
    os.read(reader, 1)
    try:
        yield pid
    finally:
        os.close(reader)
        os.close(writer)


def status_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_the_commands_of_a_key_end_and_those_of_others_go_on(world: World) -> None:
    with (
        at_work(world, KEY, lambda _: None) as first,
        at_work(world, KEY, lambda _: None) as second,
        at_work(world, OTHER, lambda _: None) as other,
    ):
        end_commands(world.platform, [KEY])
        assert [status_of(pid) for pid in (first, second, other)] == [ENDED, ENDED, OUTLIVED]


def test_what_outlives_its_client_goes_on(world: World) -> None:
    with at_work(world, KEY, Control.outlive_client) as deploy:
        end_commands(world.platform, [KEY])
        assert status_of(deploy) == OUTLIVED


def test_a_command_does_not_end_itself(world: World) -> None:
    with world.platform.locks.place(KEY.fingerprint, PLACES):
        end_commands(world.platform, [KEY])


def test_a_key_that_never_typed_has_nothing_to_end(world: World) -> None:
    end_commands(world.platform, [KEY, OTHER])


def test_all_keys_and_tokens_of_a_person_share_places(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "PLACES", 1)
    token = Actor("shop:ci", fingerprint="SHA256:ci", token=TOKEN, maker="anna")
    person = Actor("anna", fingerprint="SHA256:anna")
    other = Actor("shop:bens", fingerprint="SHA256:bens", token=TOKEN, maker="ben")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)
        with sessions.hold_places(world.platform, token):
            os.write(writer, b"x")
            threading.Event().wait()
    os.read(reader, 1)
    try:
        with pytest.raises(Conflict), sessions.hold_places(world.platform, person):
            pass
        with sessions.hold_places(world.platform, other):
            pass
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    with sessions.hold_places(world.platform, person):
        pass
    os.close(reader)
    os.close(writer)
