"""Notices: where they may go, what the other side gets, and that each is tried again."""

import hashlib
import hmac
import json
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest

from paas import outside, webhooks
from paas.errors import InvalidName, Unavailable
from tests.world import World, make_world


@dataclass
class Receiver:
    """A server that keeps what it got, and answers with `status`."""

    status: int = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?a=b"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    with serving(made) as server:
        made.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        server.shutdown()


def serving(receiver: Receiver) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((dict(self.headers), body))
            self.send_response(receiver.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            return

    return ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        made.settings = replace(made.settings, notify_private=True)
        yield made


def send_due(world: World, at: float | None = None) -> None:
    """Do what the background does, in this process."""
    platform = world.platform
    now = time.time() + 1 if at is None else at
    for notice in platform.store.notices.due(now, 50):
        webhooks.deliver(platform, notice, now)


def test_a_deploy_is_told_signed(world: World, receiver: Receiver) -> None:
    world.store.properties.set(None, "notify", "url", receiver.url)
    world.push()
    send_due(world)
    [(headers, body)] = receiver.got
    told = json.loads(body)
    assert (told["event"], told["app"], told["release"]) == ("deployed", "shop", "v1")
    secret = webhooks.secret_of(world.store.properties)
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Paas-Signature"] == f"sha256={digest}"
    assert headers["X-Paas-Event"] == "deployed"
    assert world.store.notices.waiting() == (0, "")


def test_a_failed_deploy_is_told_with_its_cause(world: World, receiver: Receiver) -> None:
    world.push()
    world.store.properties.set(world.app().id, "notify", "url", receiver.url)
    world.push(procfile="web: crash")
    send_due(world)
    [(_, body)] = receiver.got
    assert json.loads(body)["event"] == "failed"
    assert "web.1" in json.loads(body)["error"]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_what_is_not_taken_is_tried_again_later_and_later(
    world: World, receiver: Receiver, status: int
) -> None:
    world.store.properties.set(None, "notify", "url", receiver.url)
    world.push()
    receiver.status, now = status, time.time() + 1
    for pause in webhooks.PAUSES:
        with pytest.raises(Unavailable, match=f"answered with {status}"):
            send_due(world, now)
        assert world.store.notices.waiting()[0] == 1
        assert not world.store.notices.is_due(now + pause - 1)
        now += pause + 1
    send_due(world, now)
    assert world.store.notices.waiting() == (0, "")
    assert len(receiver.got) == len(webhooks.PAUSES)


def test_an_attempt_that_was_killed_counts(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.store.properties.set(None, "notify", "url", receiver.url)
    world.push()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(webhooks, "post", die)
    with pytest.raises(KeyboardInterrupt):
        send_due(world)
    [notice] = world.store.notices.due(time.time() + 60, 5)
    assert notice.attempts == 1


def test_who_clears_the_url_gets_no_more(world: World, receiver: Receiver) -> None:
    world.store.properties.set(None, "notify", "url", receiver.url)
    world.push()
    world.store.properties.set(None, "notify", "url", None)
    send_due(world)
    assert receiver.got == []
    assert world.store.notices.waiting() == (0, "")


def test_without_a_url_nothing_is_queued_and_no_job_made(world: World) -> None:
    world.push()
    assert webhooks.due_jobs(world.platform, time.time() + 1) == ()


def test_each_due_notice_is_a_job_of_its_own(world: World, receiver: Receiver) -> None:
    world.store.properties.set(None, "notify", "url", receiver.url)
    world.push()
    world.push(procfile="web: two")
    jobs = webhooks.due_jobs(world.platform, time.time() + 1)
    assert len({job.name for job in jobs}) == 2
    for job in jobs:
        job.run()
    assert len(receiver.got) == 2


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.8", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1",
     "fe80::1", "fd00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "224.0.0.1",
     "::127.0.0.1", "::ffff:0:127.0.0.1", "fec0::1",
     "255.255.255.255"],
)  # fmt: skip
def test_only_public_addresses_are_called(address: str) -> None:
    assert not outside.is_allowed(ip_address(address), private=False)


def test_the_host_s_owner_may_allow_private_ones_but_never_link_local() -> None:
    assert outside.is_allowed(ip_address("93.184.215.14"), private=False)
    for address in ("127.0.0.1", "10.0.0.8", "::1", "::ffff:10.0.0.8"):
        assert outside.is_allowed(ip_address(address), private=True)
    for address in ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "0.0.0.0", "224.0.0.1"):
        assert not outside.is_allowed(ip_address(address), private=True)


def test_a_private_target_is_refused_by_default(tmp_path: Path, receiver: Receiver) -> None:
    with make_world(tmp_path) as world:
        with pytest.raises(Unavailable, match="not a public address") as refused:
            webhooks.post(world.settings, receiver.url, b"{}", {})
        assert "notify_private" in refused.value.hint
        assert receiver.got == []


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://example.org", "http://", "http://a:b@example.org", "http://a b/",
     "http://example.org:99999/", "http://example.org/\r\nX: y", "file:///etc/passwd",
     "https://example.org/" + "a" * 2000],
)  # fmt: skip
def test_what_is_no_url_for_notices_is_refused(url: str) -> None:
    with pytest.raises(InvalidName):
        webhooks.parse_url(url)


def test_https_is_checked_against_the_host_s_ca_bundle(
    tmp_path: Path, world: World, receiver: Receiver
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    make += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    make += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(make, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(receiver) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        url = f"https://localhost:{server.server_address[1]}/"
        trusting = replace(world.settings, ca_bundle=certificate)
        webhooks.post(trusting, url, b"{}", {})
        assert len(receiver.got) == 1
        with pytest.raises(Unavailable, match="certificate"):
            webhooks.post(world.settings, url, b"{}", {})
        server.shutdown()


def test_a_server_that_is_away_is_an_ordinary_failure(world: World) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        webhooks.post(world.settings, "http://127.0.0.1:9/", b"{}", {})
    with pytest.raises(Unavailable, match="no address"):
        webhooks.post(world.settings, "http://nowhere.invalid/", b"{}", {})
