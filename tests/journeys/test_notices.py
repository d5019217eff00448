"""Somebody else's server hears of deploys, crashes and recoveries."""

import hashlib
import hmac
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import docker
import pytest

from tests.journeys.instance import Instance, running
from tests.journeys.test_first_push import write_version

WAIT = 120.0
Told = list[tuple[str, bytes, str]]  # event, body, signature


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    with running(notify_private="true") as instance:
        yield instance


@pytest.fixture
def told(paas: Instance) -> Iterator[Told]:
    """Serve on loopback; the first answer to each event is a failure."""
    heard: Told = []
    refused: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            event = self.headers["X-Paas-Event"]
            is_first = event not in refused
            refused.add(event)
            if not is_first:
                heard.append((event, body, self.headers["X-Paas-Signature"]))
            self.send_response(503 if is_first else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        paas.paas("notify:set", "--global", f"http://127.0.0.1:{server.server_address[1]}/")
        yield heard
        server.shutdown()


def wait_for(told: Told, event: str) -> dict[str, object]:
    deadline = time.monotonic() + WAIT
    while event not in [name for name, _, _ in told]:
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    return dict(json.loads(next(body for name, body, _ in told if name == event)))


def test_a_server_hears_signed_of_all_that_matters_though_it_failed_at_first(
    paas: Instance, told: Told
) -> None:
    git = paas.app("shop")
    write_version(git, "one")
    git.push()
    assert wait_for(told, "deployed")["release"] == "v1"
    git.write("Procfile", "web: false\n")
    git.commit()
    assert git.push(check=False).returncode
    assert "code 1" in str(wait_for(told, "failed")["error"])
    engine = docker.APIClient()
    [found] = engine.containers(filters={"label": f"paas.instance={paas.id}"})
    os.kill(engine.inspect_container(found["Id"])["State"]["Pid"], signal.SIGKILL)
    engine.close()
    assert wait_for(told, "crashed")["process"] == "web.1"
    assert wait_for(told, "recovered")["process"] == "web.1"
    secret = paas.paas("notify:report", "--global", "--notify-secret").stdout.strip()
    for _, body, signature in told:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        assert signature == f"sha256={digest}"
