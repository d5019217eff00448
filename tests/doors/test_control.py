"""Signals of the client reach the command, also one that comes at the worst moment."""

import signal
import socket
import threading
from collections.abc import Iterator

import pytest

from paas.doors import wire
from paas.doors.control import Control, Interrupted

WAIT = 20.0


@pytest.fixture
def client() -> Iterator[socket.socket]:
    """Run this thread as a command; yield the other end of its channel."""
    before = {name: signal.getsignal(getattr(signal, f"SIG{name}")) for name in wire.SIGNALS}
    ours, theirs = socket.socketpair()
    Control(ours).start()
    yield theirs
    for name, handler in before.items():
        signal.signal(getattr(signal, f"SIG{name}"), handler)
    for each in (ours, theirs):
        each.close()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the first signal wake nobody, as when it comes just before the thread blocks."""
    numbers: list[int] = []
    kill = signal.pthread_kill

    def miss_once(thread: int, number: int) -> None:
        numbers.append(number)
        if len(numbers) > 1:
            kill(thread, number)

    monkeypatch.setattr(signal, "pthread_kill", miss_once)
    return numbers


def test_a_signal_that_ends_no_call_is_sent_again(client: socket.socket, sent: list[int]) -> None:
    wire.send(client, {"signal": "INT"})
    with pytest.raises(Interrupted, match="SIGINT"):
        threading.Event().wait(WAIT)
    assert sent[:2] == [signal.SIGINT] * 2


def test_a_signal_that_is_not_taken_at_present_is_dropped(
    client: socket.socket, sent: list[int]
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wire.send(client, {"signal": "INT"})
    wire.send(client, {"signal": "TERM"})
    with pytest.raises(Interrupted, match="SIGTERM"):
        threading.Event().wait(WAIT)
    assert signal.SIGINT not in sent
