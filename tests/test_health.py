"""Health against real sockets on loopback; only the engine is a fake."""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from paas import health, look
from paas.errors import StartFailed
from paas.manifest import Check
from paas.model import App, Container, ContainerRole
from paas.schedulers.base import Exit, Listener, ProcessSpec
from tests.claims import loopback_network
from tests.fakes.engine import Program
from tests.fakes.scheduler import FakeScheduler

APP = App(1, "shop", 0, 0.0)
ADDRESS = str(IPv4Network(loopback_network())[3])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
SHORT = 0.6  # seconds until the tests give up

Answer = Callable[[socket.socket], None]


class Web:
    """A server that gives its answers in order, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.asked: list[bytes] = []
        self._answers = itertools.chain(answers, itertools.repeat(answers[-1]))
        self._server = socket.create_server((ADDRESS, 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        for answer in self._answers:
            client, _ = self._server.accept()
            with client:
                request = client.recv(65536)
                if request == b"stop":
                    return
                self.asked.append(request)
                try:
                    answer(client)
                except OSError:
                    continue

    def close(self) -> None:
        with socket.create_connection((ADDRESS, self.port)) as client:
            client.sendall(b"stop")
        self._thread.join()
        self._server.close()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PAUSE", 0.01)
    monkeypatch.setattr(health, "LENIENT", replace(look.LENIENT, wait=0.01))


@pytest.fixture
def serve() -> Iterator[Callable[..., Web]]:
    servers: list[Web] = []

    def make(*answers: bytes | Answer) -> Web:
        servers.append(Web(*(_sender(a) if isinstance(a, bytes) else a for a in answers)))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def _sender(data: bytes) -> Answer:
    return lambda client: client.sendall(data)


@pytest.fixture
def scheduler() -> Iterator[FakeScheduler]:
    fake = FakeScheduler()
    yield fake
    fake.close()


def start(scheduler: FakeScheduler, program: Program, port: int = 5000) -> Container:
    scheduler.programs["run"] = program
    spec = ProcessSpec(APP, 1, "web", 1, "sha256:1", "run", {}, port, ADDRESS)
    container = scheduler.start(spec)
    return Container(container, 1, 1, "web", 1, ADDRESS, port, ContainerRole.STARTING, 0.0)


def behind(scheduler: FakeScheduler, web: Web) -> Container:
    """Return a running container whose port is the test's server."""
    return start(scheduler, Program(status=None), web.port)


def check(path: str, content: str = "", attempts: int = 1000) -> Check:
    return Check(path=path, content=content, attempts=attempts, timeout=0.3, wait=0.01)


def failure(
    scheduler: FakeScheduler, row: Container, wanted: Check | None = None, limit: float = SHORT
) -> StartFailed:
    with pytest.raises(StartFailed) as caught:
        health.wait(scheduler, row, APP, "shop.example.org", limit, wanted)
    return caught.value


@pytest.mark.parametrize("status", [200, 302, 401, 404])
def test_any_answer_below_500_is_healthy(scheduler: FakeScheduler, status: int) -> None:
    row = start(scheduler, Program(status=status))
    assert 0 <= health.wait(scheduler, row, APP, "shop.example.org", SHORT) < SHORT


def test_the_request_names_the_apps_first_domain(
    scheduler: FakeScheduler, serve: Callable[..., Web]
) -> None:
    web = serve(OK)
    health.wait(scheduler, behind(scheduler, web), APP, "shop.example.org", SHORT, check("/up?x=1"))
    assert web.asked[0].startswith(b"GET /up?x=1 HTTP/1.1\r\nHost: shop.example.org\r\n")


def test_one_good_answer_is_enough(scheduler: FakeScheduler, serve: Callable[..., Web]) -> None:
    web = serve(OK, BAD)
    health.wait(scheduler, behind(scheduler, web), APP, "h", SHORT)
    assert len(web.asked) == 1


def test_after_a_failure_three_good_answers_in_a_row_are_needed(
    scheduler: FakeScheduler, serve: Callable[..., Web]
) -> None:
    web = serve(BAD, OK, OK, BAD, OK)
    health.wait(scheduler, behind(scheduler, web), APP, "h", 10)
    assert len(web.asked) == 4 + 3


def test_a_server_that_flaps_for_ever_is_not_healthy(
    scheduler: FakeScheduler, serve: Callable[..., Web]
) -> None:
    web = serve(*[BAD, OK, OK] * 500)
    assert failure(scheduler, behind(scheduler, web)).message == "web.1 answered 500 on /"


def test_with_a_check_path_only_success_and_redirect_count(scheduler: FakeScheduler) -> None:
    error = failure(scheduler, start(scheduler, Program(status=404)), check("/up"))
    assert error.message == "web.1 answered 404 on /up"
    row = start(scheduler, Program(status=302))
    assert health.wait(scheduler, row, APP, "h", SHORT, check("/up")) < 1


def test_a_redirect_is_never_followed(scheduler: FakeScheduler, serve: Callable[..., Web]) -> None:
    elsewhere = serve(OK)
    there = f"http://{ADDRESS}:{elsewhere.port}/".encode()
    web = serve(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + there + b"\r\n\r\n")
    health.wait(scheduler, behind(scheduler, web), APP, "h", SHORT, check("/up"))
    assert (len(web.asked), elsewhere.asked) == (1, [])


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nthis is ok",
    ],
    ids=["whole", "in chunks", "cut short"],
)
def test_the_wanted_content_is_found_in_the_body(
    scheduler: FakeScheduler, serve: Callable[..., Web], answer: bytes
) -> None:
    row = behind(scheduler, serve(answer))
    assert health.wait(scheduler, row, APP, "h", SHORT, check("/up", "ok")) < SHORT


def test_an_answer_without_the_content_is_not_healthy(
    scheduler: FakeScheduler, serve: Callable[..., Web]
) -> None:
    error = failure(scheduler, behind(scheduler, serve(OK)), check("/up", "Content-Length"))
    assert error.message == "web.1 answered 200 on /up without 'Content-Length'"


def test_a_check_fails_after_its_number_of_bad_answers(
    scheduler: FakeScheduler, serve: Callable[..., Web]
) -> None:
    web = serve(BAD)
    failure(scheduler, behind(scheduler, web), check("/up", attempts=4), limit=10_000)
    assert len(web.asked) == 4


def test_a_check_with_a_delay_looks_later(
    scheduler: FakeScheduler, serve: Callable[..., Web]
) -> None:
    delayed = replace(check("/up"), delay=0.2)
    took = health.wait(scheduler, behind(scheduler, serve(OK)), APP, "h", SHORT, delayed)
    assert took >= 0.2


def test_a_500_is_told_with_the_last_lines_and_the_wall(scheduler: FakeScheduler) -> None:
    lines = (*(f"line {n}" for n in range(30)), "KeyError: 'SECRET_KEY'")
    error = failure(scheduler, start(scheduler, Program(lines, status=500)))
    assert error.message == "web.1 answered 500 on /"
    assert (len(error.details), error.details[-1]) == (20, "KeyError: 'SECRET_KEY'")
    assert error.hint.endswith("Try: config:set shop SECRET_KEY=...")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "answered something that is not HTTP"),
        (b"", "closed the connection without an answer"),
    ],
)
def test_what_is_not_http_is_told(
    scheduler: FakeScheduler, serve: Callable[..., Web], answer: bytes, problem: str
) -> None:
    web = serve(answer)
    error = failure(scheduler, behind(scheduler, web))
    assert error.message == f"web.1 {problem} on port {web.port}"


def test_a_server_that_drips_its_head_is_cut_off(
    scheduler: FakeScheduler, serve: Callable[..., Web], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LENIENT", replace(look.LENIENT, timeout=0.3))
    ended = threading.Event()

    def drip(client: socket.socket) -> None:
        while not ended.wait(0.05):
            client.sendall(b"H")

    error = failure(scheduler, behind(scheduler, serve(drip)))
    ended.set()
    assert "did not answer within" in error.message


def test_an_endless_body_is_read_up_to_its_limit(
    scheduler: FakeScheduler, serve: Callable[..., Web]
) -> None:
    sent: list[int] = []

    def flood(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent.append(client.send(b"x" * 65536))

    web = serve(flood)
    assert health.wait(scheduler, behind(scheduler, web), APP, "h", SHORT) < SHORT


def test_loopback_only_is_told(scheduler: FakeScheduler) -> None:
    program = Program(status=None, listens=(Listener("127.0.0.1", 5000),))
    error = failure(scheduler, start(scheduler, program))
    assert error.message == "web.1 listens on 127.0.0.1 only"
    assert "0.0.0.0" in error.hint


def test_the_wrong_port_is_told(scheduler: FakeScheduler) -> None:
    program = Program(status=None, listens=(Listener("0.0.0.0", 8000),))
    error = failure(scheduler, start(scheduler, program))
    assert error.message == "web.1 listens on 8000, not $PORT (5000)"


def test_no_port_at_all_is_told(scheduler: FakeScheduler) -> None:
    error = failure(scheduler, start(scheduler, Program(status=None)))
    assert error.message == "web.1 did not open port 5000 in 1 s"


def test_an_exit_ends_the_wait_and_is_told(scheduler: FakeScheduler) -> None:
    row = start(scheduler, Program(("boom",), exit_code=3))
    with pytest.raises(StartFailed, match=r"web\.1 exited with code 3 after 0\.\d s") as caught:
        health.wait(scheduler, row, APP, "h", timeout=10_000)
    assert caught.value.details == ("boom",)


def test_an_exit_with_success_is_told_too(scheduler: FakeScheduler) -> None:
    error = failure(scheduler, start(scheduler, Program(exit_code=0)))
    assert "exited with code 0" in error.message
    assert "foreground" in error.hint


def test_a_signal_is_named(scheduler: FakeScheduler) -> None:
    error = failure(scheduler, start(scheduler, Program(exit_code=139)))
    assert "was killed by SIGSEGV" in error.message


def test_out_of_memory_is_told_with_the_limit(scheduler: FakeScheduler) -> None:
    program = Program(("KeyError: 'A_KEY'",), exit_code=137, oom_killed=True)
    error = failure(scheduler, start(scheduler, program))
    assert error.message == "web.1 was killed: out of memory (limit 512 MB)"
    assert error.hint == "Try: resource:limit --process-type web --memory 1024m shop"


def test_a_container_removed_by_hand_ends_the_wait(scheduler: FakeScheduler) -> None:
    row = start(scheduler, Program(status=None))
    scheduler.remove_by_hand(row.id)
    with pytest.raises(StartFailed, match="vanished"):
        health.wait(scheduler, row, APP, "h", timeout=10_000)


def test_a_worker_that_stays_up_is_up(scheduler: FakeScheduler) -> None:
    health.wait_up(scheduler, start(scheduler, Program(status=None)), APP, grace=0.1)


def test_a_worker_that_dies_in_its_grace_is_told(scheduler: FakeScheduler) -> None:
    row = start(scheduler, Program(("sh: 1: celery: not found",), status=None))
    killer = threading.Timer(0.1, scheduler.crash, (row.id, 127))
    killer.start()
    with pytest.raises(StartFailed, match="exited with code 127") as caught:
        health.wait_up(scheduler, row, APP, grace=60)
    killer.join()
    assert caught.value.hint.startswith("celery is not in the image")


def test_a_failed_release_command_is_told() -> None:
    error = health.command_failed("release", APP, Exit(1), ["KeyError: 'DB_URL'"])
    assert error.message == "The release command exited with code 1"
    assert "config:set shop DB_URL=" in error.hint


def test_a_command_that_was_out_of_memory_is_told() -> None:
    error = health.command_failed("predeploy", APP, Exit(137, 64 * 1024 * 1024), [])
    assert error.message == "The predeploy command was killed: out of memory (limit 64 MB)"
    assert error.hint == "Try: resource:limit --process-type predeploy --memory 128m shop"


def test_a_command_that_failed_after_another_was_out_of_memory_names_its_wall() -> None:
    ended = Exit(1, 64 * 1024 * 1024)
    error = health.command_failed("release", APP, ended, ["KeyError: 'DB_URL'"])
    assert error.message == "The release command exited with code 1"
    assert "config:set shop DB_URL=" in error.hint
    error = health.command_failed("release", APP, ended, ["Killed"])
    assert error.hint == "Try: resource:limit --process-type release --memory 128m shop"
