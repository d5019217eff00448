"""Who may begin, who waits and who gives way, of those that have proved no key."""

import contextlib
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from paas.doors.lobby import GREETING, Limits, Lobby, Stranger, choose, house_of

ANNA, EVE = "192.0.2.1", "192.0.2.2"
FOREVER = 3600.0


@dataclass
class Room:
    """A lobby and the clients' ends of its lines."""

    lobby: Lobby
    clients: list[socket.socket] = field(default_factory=list)

    def enter(self, address: str) -> socket.socket:
        client, line = socket.socketpair()
        client.settimeout(10)
        self.lobby.greet(line, address)
        self.clients.append(client)
        return client

    def speak(self, address: str) -> socket.socket:
        """Let somebody come in and answer the greeting."""
        client = self.enter(address)
        client.sendall(b"SSH-2.0-x\r\n")
        self.listen()
        return client

    def listen(self) -> None:
        self.lobby.hear({key.fileobj for key, _ in self.lobby.selector.select(0)})

    def begin(self, first_pid: int) -> list[str]:
        """Let begin whose turn it is; return their addresses."""
        begun = []
        for pid, stranger in enumerate(self.lobby.in_turn(), first_pid):
            self.lobby.begun(stranger, pid)
            begun.append(stranger.address)
        return begun


def ends(client: socket.socket) -> bool:
    """Return whether the line ends behind the greeting; what was not read resets it."""
    with contextlib.suppress(ConnectionResetError):
        while client.recv(100):
            pass
    return True


@contextlib.contextmanager
def room(turns: int = 2, turn: float = FOREVER, unauthenticated: float = FOREVER) -> Iterator[Room]:
    limits = Limits(turns=turns, turn=turn, unauthenticated=unauthenticated)
    with selectors.DefaultSelector() as selector:
        found = Room(Lobby(limits, selector))
        yield found
        for each in (*found.clients, *(stranger.line for stranger in found.lobby.strangers)):
            each.close()


def test_who_comes_is_greeted_and_has_no_turn_before_it_speaks() -> None:
    with room() as lobby:
        assert lobby.enter(ANNA).recv(100) == f"{GREETING}\r\n".encode()
        lobby.listen()
        assert lobby.begin(1) == []
        lobby.speak(EVE)
        assert lobby.begin(1) == [EVE]
        assert lobby.begin(2) == []


def test_a_crowd_from_one_address_keeps_nobody_waiting_who_comes_from_another() -> None:
    with room() as lobby:
        for _ in range(5):
            lobby.speak(EVE)
        lobby.speak(ANNA)
        assert lobby.begin(1) == [ANNA, EVE, EVE]
        assert lobby.lobby.leave(2)  # one of the crowd has proved a key
        assert lobby.begin(10) == [EVE]


def test_who_comes_behind_a_crowd_from_its_own_address_does_not_wait_for_all_of_it() -> None:
    with room(turns=1) as lobby:
        for _ in range(3):
            lobby.speak(EVE)
        assert lobby.begin(1) == [EVE]
        lobby.speak(EVE)
        last = lobby.lobby.strangers[-1]
        lobby.lobby.leave(1)
        assert lobby.begin(2) == [EVE]
        assert last.pid == 2


def test_who_has_no_turn_within_its_time_is_sent_away() -> None:
    with room(turns=0, unauthenticated=0.01) as lobby:
        client = lobby.speak(EVE)
        time.sleep(0.02)
        lobby.listen()
        assert lobby.lobby.strangers == []
        assert ends(client)


def test_a_turn_ends_also_for_who_falls_silent_in_it() -> None:
    with room(turns=1, turn=0.01) as lobby:
        lobby.speak(EVE)
        lobby.speak(EVE)
        assert lobby.begin(1) == [EVE]
        wait = lobby.lobby.next_look()
        assert wait is None or wait <= 0.01  # nobody waits longer than that for the next turn
        time.sleep(0.02)
        assert lobby.begin(2) == [EVE]


def test_who_is_silent_for_too_long_is_sent_away() -> None:
    with room(unauthenticated=0.01) as lobby:
        client = lobby.enter(EVE)
        time.sleep(0.02)
        assert lobby.lobby.next_look() == 0.0
        lobby.listen()
        assert ends(client)
        assert lobby.lobby.strangers == []
        assert lobby.lobby.next_look() is None


def test_who_leaves_without_a_word_gets_no_process() -> None:
    with room() as lobby:
        lobby.enter(EVE).close()
        lobby.listen()
        assert lobby.lobby.strangers == []


def test_who_speaks_and_leaves_is_heard_first() -> None:
    with room() as lobby:
        lobby.speak(EVE).shutdown(socket.SHUT_WR)
        lobby.listen()
        assert lobby.begin(1) == [EVE]


def test_the_largest_crowd_gives_way() -> None:
    line = socket.socket()
    crowd = [Stranger(line, EVE, 0.0) for _ in range(3)]
    assert all(choose([Stranger(line, ANNA, 0.0), *crowd]).address == EVE for _ in range(50))
    line.close()


def test_a_flood_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with room() as lobby, caplog.at_level("INFO", "paas"):
        for _ in range(100):
            lobby.enter(EVE)
            lobby.lobby.make_room(lobby.lobby.strangers)
    assert [record.getMessage() for record in caplog.records] == [
        f"many connections: ended one that had proved no key, from {EVE}"
    ]


@pytest.mark.parametrize(
    ("address", "house"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_an_address_of_ipv6_counts_by_its_first_half(address: str, house: str) -> None:
    assert house_of(address) == house
