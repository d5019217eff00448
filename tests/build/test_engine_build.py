"""The request to the engine, against an engine of a few lines."""

import io
import json
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit

import pytest

from paas.build.context import Context, make_context
from paas.build.engine_build import UPLOAD_BUG, BuildRequest, run_build, serve_context
from paas.errors import BuildFailed, EngineUnavailable
from tests.fakes.source import TreeSource

Answer = Callable[[BaseHTTPRequestHandler, bytes], tuple[int, list[dict[str, Any]]]]
DONE: list[dict[str, Any]] = [{"id": "moby.image.id", "aux": {"ID": "sha256:1"}}]


@contextmanager
def engine(answer: Answer) -> Iterator[str]:
    """Serve `answer(request, body)` -> status and JSON lines; yield the engine's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, lines = answer(self, b"".join(self.chunks()))
            self.send_response(status)
            self.end_headers()
            with suppress(BrokenPipeError):  # the client may have left
                self.wfile.write("\n".join(map(json.dumps, lines)).encode())

        def chunks(self) -> Iterator[bytes]:
            while self.headers["Transfer-Encoding"] and (size := int(self.rfile.readline(), 16)):
                yield self.rfile.read(size)
                self.rfile.readline()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its base names it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def context() -> Context:
    return make_context(TreeSource({"a": "1"}), (), "src", (("Dockerfile", b"FROM x"),), 1)


def build(address: str, timeout: float = 60) -> list[list[dict[str, Any]]]:
    """Build; return the messages of each attempt."""
    attempts: list[list[dict[str, Any]]] = []

    def new_feed() -> Callable[[dict[str, Any]], None]:
        attempts.append([])
        return attempts[-1].append

    run_build(BuildRequest(address, "1.41", {"version": "2"}, timeout), context(), new_feed)
    return attempts


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return tar.getnames()


def test_the_tar_is_the_requests_body() -> None:
    seen: list[object] = []

    def answer(request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[dict[str, Any]]]:
        seen.extend([request.path, request.headers["Content-Type"], names(body)])
        return 200, DONE

    with engine(answer) as address:
        assert build(address) == [DONE]
    assert seen == ["/v1.41/build?version=2", "application/x-tar", ["src", "src/a", "Dockerfile"]]


def test_an_engine_that_cannot_take_a_body_gets_a_url_on_loopback() -> None:
    def answer(request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, list[dict[str, Any]]]:
        remote = parse_qs(urlsplit(request.path).query).get("remote")
        if not remote:
            return 200, [{"error": f"{UPLOAD_BUG}: failed to load cache key: status 403"}]
        with urllib.request.urlopen(remote[0]) as response:
            return 200, [{"names": names(response.read()), "body": len(body)}]

    with engine(answer) as address:
        attempts = build(address)
    assert attempts == [[], [{"names": ["src", "src/a", "Dockerfile"], "body": 0}]]


def test_the_loopback_server_gives_the_context_to_its_token_only() -> None:
    with serve_context(context()) as url:
        with pytest.raises(HTTPError, match="404"):
            urllib.request.urlopen(url[:-1])
        with urllib.request.urlopen(url) as response:
            assert "Dockerfile" in names(response.read())
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url)


def test_the_engines_refusal_is_told() -> None:
    with (
        engine(lambda *_: (400, [{"message": "no such parameter"}])) as address,
        pytest.raises(EngineUnavailable, match="refused the build: no such parameter"),
    ):
        build(address)


def test_an_engine_that_is_silent_for_too_long_is_left() -> None:
    gate = threading.Event()

    def answer(*_: object) -> tuple[int, list[dict[str, Any]]]:
        gate.wait()
        return 200, DONE

    with engine(answer) as address:
        with pytest.raises(BuildFailed, match="took longer than"):
            build(address, timeout=0.2)
        gate.set()


def test_a_build_that_fills_the_disk_is_stopped() -> None:
    gate, looks = threading.Event(), iter([False, True])

    def answer(*_: object) -> tuple[int, list[dict[str, Any]]]:
        gate.wait()
        return 200, DONE

    with engine(answer) as address:
        request = BuildRequest(address, "1.41", {}, 60)
        with pytest.raises(BuildFailed, match="fills the host's disk"):
            run_build(request, context(), lambda: lambda _: None, lambda: next(looks))
        gate.set()


def test_an_engine_that_is_not_there_is_told() -> None:
    with pytest.raises(EngineUnavailable, match="went away"):
        build("unix:///nonexistent/docker.sock")
