"""Twenty deploys of one app under traffic: it loses no request, its neighbour notices nothing."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.journeys.instance import Instance, running
from tests.journeys.programs import Git

ECHO = Path(__file__).parent / "apps" / "echo"
DEPLOYS = 20
PAUSE = 0.02  # seconds between two requests of one client: the host has other work too


@dataclass
class Seen:
    """What the clients met while the deploys went on."""

    answers: dict[str, list[str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    echoes: list[str] = field(default_factory=list)
    workers: list[set[int]] = field(default_factory=list)


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    with running(drain_timeout="4", stop_timeout="5") as instance:
        yield instance


def push_echo(paas: Instance, name: str) -> Git:
    git = paas.app(name)
    git.fill(ECHO)
    git.push()
    return git


@pytest.fixture(scope="module")
def neighbour(paas: Instance) -> Git:
    return push_echo(paas, "neighbour")


@pytest.fixture(scope="module")
def busy(paas: Instance) -> Git:
    return push_echo(paas, "busy")


@pytest.fixture(scope="module")
def seen(paas: Instance, neighbour: Git, busy: Git) -> Seen:
    """Deploy `busy` twenty times while clients use both apps; return what they saw."""
    seen = Seen()
    with traffic(paas, seen), websocket(paas, "neighbour") as line:
        for number in range(DEPLOYS):
            busy.write("version.txt", f"busy-{number}")
            busy.commit(f"busy {number}")
            busy.push()
            line.send(f"still here {number}")
            seen.echoes.append(str(line.recv(timeout=20)))
            seen.workers.append(workers(paas))
    return seen


@contextlib.contextmanager
def traffic(paas: Instance, seen: Seen) -> Iterator[None]:
    """Send GETs and POSTs to both apps, on kept and on new connections; nothing is retried."""
    over = threading.Event()
    clients = [
        threading.Thread(target=use, args=(paas, app, kept, seen, over))
        for app in ("neighbour", "busy")
        for kept in (True, False)
    ]
    for client in clients:
        client.start()
    try:
        yield
    finally:
        over.set()
        for client in clients:
            client.join()


def use(paas: Instance, app: str, kept: bool, seen: Seen, over: threading.Event) -> None:
    """Be a client of `app` until it is over.

    A kept connection is opened anew only when nginx has said that it closes it, as it does after
    1000 requests.
    """
    answers = seen.answers.setdefault(f"{app} {'kept' if kept else 'new'}", [])
    host = f"{app}.{paas.domain}"
    try:
        with contextlib.closing(open_line(paas)) as line:
            while not over.wait(PAUSE):
                if not kept:
                    line.close()
                answers.append(ask(line, "GET", host))
                assert ask(line, "POST", host, "precious") == "precious"
    except (OSError, http.client.HTTPException, AssertionError) as error:
        seen.failures.append(f"{app}, kept={kept}, {len(answers)}: {error!r}")


def open_line(paas: Instance) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", paas.http_port, timeout=20)


def ask(line: http.client.HTTPConnection, method: str, host: str, body: str | None = None) -> str:
    line.request(method, "/", body, {"Host": host})
    answer = line.getresponse()
    text = answer.read().decode()
    assert answer.status == 200, text
    return text


def websocket(paas: Instance, app: str) -> ClientConnection:
    line = socket.create_connection(("127.0.0.1", paas.http_port), timeout=20)
    return connect(f"ws://{app}.{paas.domain}:{paas.http_port}/", sock=line)


def workers(paas: Instance) -> set[int]:
    """Return the pids of nginx's workers."""
    assert paas.nginx is not None
    master = paas.nginx.pid
    return {int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()}


def test_no_request_is_lost_in_twenty_deploys(seen: Seen) -> None:
    assert seen.failures == []
    assert set(seen.answers) == {"neighbour kept", "neighbour new", "busy kept", "busy new"}


@pytest.mark.parametrize("connection", ["busy kept", "busy new"])
def test_each_version_answers_in_its_turn_and_none_comes_back(seen: Seen, connection: str) -> None:
    first_seen = list(dict.fromkeys(seen.answers[connection]))
    assert first_seen == ["first", *(f"busy-{number}" for number in range(DEPLOYS))]
    assert seen.answers[connection] == sorted(seen.answers[connection], key=first_seen.index)


def test_the_neighbour_s_websocket_echoes_after_each_deploy(seen: Seen) -> None:
    assert seen.echoes == [f"first still here {number}" for number in range(DEPLOYS)]


def test_pushes_of_code_leave_nginx_alone(seen: Seen) -> None:
    assert len(seen.workers[0]) == 2
    assert all(each == seen.workers[0] for each in seen.workers)


def test_a_websocket_goes_on_with_its_version_and_is_closed_in_order(
    paas: Instance, busy: Git
) -> None:
    before = paas.curl("busy").stdout
    with websocket(paas, "busy") as line:
        busy.write("version.txt", "replaced")
        busy.commit("replaced")
        busy.push()
        assert paas.curl("busy").stdout == "replaced"
        line.send("goes on")
        assert line.recv(timeout=20) == f"{before} goes on"
        with pytest.raises(ConnectionClosed) as closed:
            line.recv(timeout=60)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


def test_an_event_arrives_before_the_stream_ends(paas: Instance, neighbour: Git) -> None:
    with contextlib.closing(open_line(paas)) as line:
        line.request("GET", "/events", headers={"Host": f"neighbour.{paas.domain}"})
        answer = line.getresponse()
        assert answer.read(len(b"data: one\n\n")) == b"data: one\n\n"
        assert paas.curl("neighbour", "/more").stdout == "more comes"
        assert answer.read() == b"data: two\n\n"


def test_the_app_sees_the_client_s_address_and_no_other(paas: Instance, neighbour: Git) -> None:
    lies = {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "X-Forwarded-Proto": "https"}
    spoofed = [word for name, value in lies.items() for word in ("-H", f"{name}: {value}")]
    said = paas.curl("neighbour", "/headers", "--interface", "127.0.0.9", *spoofed).stdout
    headers = json.loads(said)
    assert headers["X-Forwarded-For"] == "127.0.0.9"
    assert headers["X-Real-IP"] == "127.0.0.9"
    assert headers["X-Forwarded-Proto"] == "http"
    assert "6.6.6.6" not in said
