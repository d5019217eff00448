"""Clients of an app that is deployed meanwhile. None of them ever tries again."""

import http.client
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from bench.far_away import TIMEOUT, Way
from tests.faults.visitor import Visitor
from tests.journeys.instance import Instance

PAUSE = 0.1  # seconds between two words over a websocket
JOIN = 180.0  # seconds: longer than anything here may take


@dataclass(frozen=True)
class Door:
    """Where the clients of one app knock: the app's host, and the way there."""

    instance: Instance
    app: str
    way: Way

    @property
    def host(self) -> str:
        return f"{self.app}.{self.instance.domain}"

    def connection(self) -> http.client.HTTPConnection:
        """Return a connection, opened when it is used; again if nginx has announced its end."""
        return Connection(self)

    def websocket(self) -> ClientConnection:
        """Open a websocket. Raises OSError, WebSocketException."""
        port = self.instance.http_port
        sock = self.way.dial(port)
        uri = f"ws://{self.host}:{port}/"
        return connect(uri, sock=sock, open_timeout=TIMEOUT, ping_interval=None)


class Connection(http.client.HTTPConnection):
    """An HTTP connection over a Way."""

    def __init__(self, door: Door) -> None:
        super().__init__(door.way.address, door.instance.http_port, timeout=TIMEOUT)
        self._door = door

    def connect(self) -> None:
        self.sock = self._door.way.dial(self._door.instance.http_port)


@dataclass
class Comer(Visitor):
    """The fault suite's visitor, on its way to a door."""

    door: Door = field(kw_only=True)

    def _connect(self) -> http.client.HTTPConnection:
        return self.door.connection()


def visitor(door: Door, rate: float) -> Comer:
    """Return a visitor that sends `rate` requests a second: GET, POST, new and kept."""
    return Comer(door.instance.http_port, door.host, rate, door=door)


@dataclass
class Crowd:
    """Clients in threads of their own; `said` and `lost` tell how it went."""

    said: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, client: Callable[[], str], what: str) -> None:
        """Let a client do something once; what it returns is `said`, what it raises `lost`."""
        thread = threading.Thread(target=self._run, args=(client, what), daemon=True)
        self.threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Wait for all of them; one that hangs is lost."""
        deadline = time.monotonic() + JOIN
        for thread in self.threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.lost += ["it hangs" for thread in self.threads if thread.is_alive()]

    def _run(self, client: Callable[[], str], what: str) -> None:
        try:
            self.said.append(client())
        except Exception as error:  # noqa: BLE001 - whatever ended it, it is lost
            self.lost.append(f"{what}: {error!r}")


def ask_slowly(door: Door, seconds: float) -> str:
    """Send a request that takes so long; return its answer. Raises OSError, AssertionError."""
    with closing(door.connection()) as connection:
        connection.request("GET", f"/slow/{seconds:g}", headers={"Host": door.host})
        answer = connection.getresponse()
        text = answer.read().decode()
    assert answer.status == http.HTTPStatus.OK, f"{answer.status} {text}"
    return text


def listen_to_the_end(door: Door, patience: float) -> str:
    """Open a websocket, talk over it until it is closed; return the close code.

    Raises TimeoutError for one that is still open after `patience`, or that does not answer.
    """
    with door.websocket() as line:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                line.send("still here")
                line.recv(TIMEOUT)
            except ConnectionClosed as closed:
                return str(closed.rcvd.code) if closed.rcvd else "end of stream"
            time.sleep(PAUSE)
    raise TimeoutError(f"the websocket is open after {patience:.0f} s")


def talk(door: Door, stop: threading.Event) -> str:
    """Talk over one websocket until told to stop; return how many words were echoed."""
    echoed = 0
    with door.websocket() as line:
        while not stop.wait(PAUSE):
            line.send(f"{echoed}")
            said = str(line.recv(TIMEOUT))
            assert said.endswith(f" {echoed}"), said
            echoed += 1
    return f"{echoed} echoes"
