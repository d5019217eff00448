"""Who gives way when the ssh door is full."""

import signal
import subprocess
from collections.abc import Iterator

import pytest

from paas.doors.doorkeeper import Doorkeeper
from paas.doors.lobby import Limits


@pytest.fixture
def connections() -> Iterator[list[subprocess.Popen[bytes]]]:
    started = [subprocess.Popen(["sleep", "60"]) for _ in range(3)]
    yield started
    for process in started:
        process.kill()
        process.wait()


def test_the_key_with_the_most_connections_gives_way(
    connections: list[subprocess.Popen[bytes]],
) -> None:
    keeper = Doorkeeper(Limits(connections=3), lambda *_: None)
    one, two, other = (process.pid for process in connections)
    keeper.friends = {one: b"eve", two: b"eve", other: b"anna"}
    assert keeper._make_room("192.0.2.1")
    (left,) = {one, two} & keeper.friends.keys()
    ended = next(process for process in connections if process.pid not in keeper.friends)
    assert ended.wait(10) == -signal.SIGTERM
    assert other in keeper.friends
    keeper.friends |= {0: b"ben"}  # each has one: nobody is ended for a newcomer
    assert not keeper._make_room("192.0.2.1")
    assert {left, other, 0} == keeper.friends.keys()
