"""What a neighbour notices of deploys: nothing."""

import http.client
import socket
import threading
import time
from dataclasses import dataclass, field

from websockets.sync.client import connect

from bench.apps import NEIGHBOUR, STATIC_SERVER
from bench.live import LiveApp
from bench.measure import Row, Sample
from tests.journeys.instance import Instance

PAUSE = 0.02  # between two requests: about 50 a second


@dataclass
class Visitor:
    """A client of the neighbour that goes on until it is stopped; counts what it did and lost."""

    instance: Instance
    app: str
    stop: threading.Event = field(default_factory=threading.Event)
    answered: int = 0
    echoed: int = 0
    lost: list[str] = field(default_factory=list)

    def run(self) -> tuple[threading.Thread, ...]:
        threads = tuple(threading.Thread(target=each) for each in (self._post, self._echo))
        for thread in threads:
            thread.start()
        return threads

    def _post(self) -> None:
        """POST over one kept connection; anew only where nginx has announced its end."""
        host = f"{self.app}.{self.instance.domain}"
        connection = http.client.HTTPConnection("127.0.0.1", self.instance.http_port, timeout=30)
        while not self.stop.is_set():
            try:
                body = f"{self.answered}"
                connection.request("POST", "/", body, {"Host": host})
                answer = connection.getresponse()
                if answer.status != 200 or answer.read().decode() != body:
                    self.lost.append(f"POST: {answer.status}")
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"POST: {error!r}")
                connection.close()
            time.sleep(PAUSE)
        connection.close()

    def _echo(self) -> None:
        """Talk over one websocket from the beginning to the end."""
        uri = f"ws://{self.app}.{self.instance.domain}:{self.instance.http_port}/"
        try:
            sock = socket.create_connection(("127.0.0.1", self.instance.http_port), 30)
            with connect(uri, sock=sock, open_timeout=30, ping_interval=None) as websocket:
                while not self.stop.is_set():
                    websocket.send(f"{self.echoed}")
                    if websocket.recv(30) != f"{self.echoed}":
                        self.lost.append("websocket: another echo")
                    self.echoed += 1
                    time.sleep(PAUSE)
        except Exception as error:  # noqa: BLE001 - whatever ended it, it is lost
            self.lost.append(f"websocket: {error!r}")


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return one row: everything that was lost."""
    neighbour = LiveApp(instance, "neighbour", NEIGHBOUR, {"requirements.txt": ""})
    neighbour.git.write("app.py", NEIGHBOUR)
    neighbour.git.commit("neighbour")
    neighbour.push("neighbour")
    app = LiveApp(instance, "busy", STATIC_SERVER, {"requirements.txt": ""})
    app.deploy("first")
    visitor, deploys = Visitor(instance, neighbour.name), 3 if quick else 20
    threads = visitor.run()
    try:
        for number in range(deploys):
            app.deploy(f"v{number}")
    finally:
        visitor.stop.set()
        for thread in threads:
            thread.join(60)
    assert visitor.answered, visitor.lost
    assert visitor.echoed, visitor.lost
    note = f"{visitor.answered} POSTs on kept connections, one websocket with {visitor.echoed}"
    what = f"lost by a neighbour in {deploys} deploys of another app"
    lost = Sample((float(len(visitor.lost)),))
    return [Row(what, lost, "", 0, note=f"{note} echoes {' '.join(visitor.lost[:3])}".strip())]
