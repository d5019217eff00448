"""publish(): what the vhost does with requests, on a real nginx."""

import http.client
import json
import socket
import time
from pathlib import Path

import pytest

from paas.proxies.base import Route, Site
from tests.proxies.client import WebSocket, raw, request
from tests.proxies.world import World

SHOP = "shop.test.localhost"


def publish(world: World, **options: str) -> None:
    """Publish the app `shop` with one running process."""
    world.proxy.switch("shop", [world.process("v1", 0, 2)])
    world.proxy.publish(world.site("shop", 0, **options))


def headers_at_app(world: World, **headers: str) -> dict[str, str]:
    port = world.settings.http_port
    shown = request(port, SHOP, "/", "GET", b"", **headers)[1]["headers"]
    assert isinstance(shown, dict)
    return shown


def test_a_published_app_answers_at_its_domain_as_soon_as_publish_returns(world: World) -> None:
    for index in range(5):
        name = f"app{index}"
        world.proxy.publish(world.site(name, index))
        assert request(world.settings.http_port, f"{name}.test.localhost")[0] == 502


def test_an_unknown_host_is_refused_without_an_answer(world: World) -> None:
    publish(world)
    for host in ("other.test.localhost", "127.0.0.1", f"x.{SHOP}"):
        with pytest.raises(http.client.RemoteDisconnected):
            request(world.settings.http_port, host)


def test_a_withdrawn_app_is_refused_like_an_unknown_one(world: World) -> None:
    publish(world)
    world.proxy.withdraw("shop")
    with pytest.raises(http.client.RemoteDisconnected):
        request(world.settings.http_port, SHOP)


def test_what_a_client_says_of_itself_is_overwritten(world: World) -> None:
    publish(world)
    names = ("X_Forwarded_For", "X_Real_IP", "X_Forwarded_Host", "Forwarded", "Proxy")
    forged = dict.fromkeys(names, "203.0.113.9")
    seen = headers_at_app(world, X_Forwarded_Proto="https", X_Forwarded_Port="1", **forged)
    assert "203.0.113.9" not in seen.values()
    assert (seen["x-forwarded-for"], seen["x-real-ip"]) == ("127.0.0.1", "127.0.0.1")
    assert seen["x-forwarded-proto"] == "http"
    assert seen["x-forwarded-port"] == str(world.settings.http_port)


def test_headers_with_underscores_never_reach_the_app(world: World) -> None:
    publish(world)
    head = f"GET / HTTP/1.1\r\nHost: {SHOP}\r\nX_Forwarded_For: 203.0.113.9\r\n"
    answer = raw(world.settings.http_port, head.encode() + b"Connection: close\r\n\r\n")
    assert b"200 OK" in answer
    assert b"203.0.113.9" not in answer


def test_the_app_gets_the_host_with_its_port_and_a_request_id(world: World) -> None:
    publish(world)
    seen = headers_at_app(world, Host=f"{SHOP}:8080")
    assert seen["host"] == f"{SHOP}:8080"
    assert len(seen["x-request-id"]) == 32
    assert seen["x-request-start"].startswith("t=")
    known = "0123456789abcdef-0123"
    assert headers_at_app(world, X_Request_Id=known)["x-request-id"] == known
    assert headers_at_app(world, X_Request_Id="short")["x-request-id"] != "short"


def test_a_host_header_that_differs_from_the_url_never_reaches_the_app(world: World) -> None:
    publish(world)
    head = f"GET http://{SHOP}/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    answer = raw(world.settings.http_port, head.encode())
    assert b"evil.example" not in answer
    assert SHOP.encode() in answer


@pytest.mark.parametrize(
    "smuggled",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
        "Transfer-Encoding: xchunked\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    ],
)
def test_a_request_of_two_lengths_is_refused(world: World, smuggled: str) -> None:
    publish(world)
    head = f"POST / HTTP/1.1\r\nHost: {SHOP}\r\n{smuggled}"
    answer = raw(world.settings.http_port, head.encode())
    assert answer.split()[1] in {b"400", b"501"}


def test_a_websocket_is_upgraded_and_no_other_protocol(world: World) -> None:
    publish(world)
    with WebSocket(world.settings.http_port, SHOP) as client:
        assert client.echo("hello") == "v1 hello"
    seen = headers_at_app(world, Upgrade="h2c", Connection="Upgrade, HTTP2-Settings")
    assert "upgrade" not in seen
    assert seen["connection"] == "close"


def test_a_stream_arrives_while_the_app_still_writes(world: World) -> None:
    publish(world)
    with socket.create_connection(("127.0.0.1", world.settings.http_port), 3) as client:
        client.sendall(f"GET /stream HTTP/1.1\r\nHost: {SHOP}\r\n\r\n".encode())
        received = b""
        while b"data: 1" not in received:
            received += client.recv(4096)


def test_a_slow_upload_reaches_the_app_as_a_whole(world: World) -> None:
    publish(world)
    body = b"x" * 300_000
    status, shown = request(world.settings.http_port, SHOP, "/", "POST", body)
    assert (status, len(shown["body"])) == (200, len(body))


def test_a_request_above_the_apps_limit_gets_a_plain_page(world: World) -> None:
    publish(world, client_max_body_size="1k")
    status, shown = request(world.settings.http_port, SHOP, "/", "POST", b"x" * 2000)
    assert (status, "Too large" in shown["text"]) == (413, True)


def test_an_app_that_takes_too_long_gets_a_plain_page(world: World) -> None:
    publish(world, proxy_read_timeout="1s")
    status, shown = request(world.settings.http_port, SHOP, "/hold=3")
    assert (status, "did not answer in time" in shown["text"]) == (504, True)


def test_an_apps_own_error_page_is_left_as_it_is(world: World) -> None:
    publish(world)
    status, shown = request(world.settings.http_port, SHOP, "/broken")
    assert (status, shown["name"]) == (500, "v1")


def test_maintenance_answers_503_without_asking_the_app(world: World) -> None:
    publish(world, maintenance="on")
    status, shown = request(world.settings.http_port, SHOP)
    assert (status, "not available" in shown["text"]) == (503, True)


def test_too_many_requests_of_one_address_are_refused(world: World) -> None:
    publish(world, connections_per_address="1")
    with WebSocket(world.settings.http_port, SHOP):
        assert request(world.settings.http_port, SHOP)[0] == 429


def test_requests_are_spread_over_two_processes_and_a_dead_one_is_passed_over(
    world: World,
) -> None:
    one, two = world.process("v1", 0, 2), world.process("v2", 0, 3)
    second = Route(world.service(0, 2), two.address, two.port)
    world.proxy.switch("shop", [one, second])
    world.proxy.publish(Site("shop", (SHOP,), (one.service, second.service)))
    assert {request(world.settings.http_port, SHOP)[1]["name"] for _ in range(9)} == {"v1", "v2"}
    world.proxy.switch("shop", [one, Route(second.service, two.address, 9)])
    names = {
        request(world.settings.http_port, SHOP, "/", "POST", b"x")[1]["name"] for _ in range(9)
    }
    assert names == {"v1"}


def test_a_post_that_was_sent_is_not_sent_to_a_second_process(world: World) -> None:
    one, two = world.process("v1", 0, 2), world.process("v2", 0, 3)
    second = Route(world.service(0, 2), two.address, two.port)
    world.proxy.switch("shop", [one, second])
    world.proxy.publish(Site("shop", (SHOP,), (one.service, second.service)))
    answers = [request(world.settings.http_port, SHOP, "/die", m)[0] for m in ("POST", "GET")]
    assert answers == [502, 502]
    shown = [request(world.settings.http_port, SHOP)[1] for _ in range(9)]
    taken = {answer["name"]: answer["died"] for answer in shown}
    assert sorted([*taken["v1"], *taken["v2"]]) == ["GET", "GET", "POST"]


def test_the_access_log_has_a_json_line_per_request(world: World) -> None:
    publish(world)
    request(world.settings.http_port, SHOP, "/a%22b", User_Agent='x"\\y')
    log = world.settings.logs / "nginx" / "shop.log"
    deadline = time.monotonic() + 10
    while not log.stat().st_size and time.monotonic() < deadline:
        time.sleep(0.05)
    line = json.loads(log.read_text().splitlines()[-1])
    assert (line["status"], line["path"], line["agent"]) == (200, "/a%22b", 'x"\\y')


def files_of_nginx(world: World) -> list[str]:
    """The temporary files that nginx's workers have open; they have no name any more."""
    master = world.settings.nginx_pid.read_text().strip()
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    links = [link for pid in workers for link in Path(f"/proc/{pid}/fd").iterdir()]
    return [str(link.readlink()) for link in links if "/temp/" in str(link.readlink())]


def test_an_app_cannot_fill_the_hosts_disk_with_what_a_client_does_not_read(world: World) -> None:
    publish(world)
    with socket.create_connection(("127.0.0.1", world.settings.http_port), timeout=15) as client:
        client.sendall(f"GET /huge HTTP/1.0\r\nHost: {SHOP}\r\n\r\n".encode())
        assert client.recv(4) == b"HTTP"
        time.sleep(0.5)  # for nginx to take as much as it wants
        assert files_of_nginx(world) == []
        size = 0
        while data := client.recv(1024 * 1024):
            size += len(data)
    assert size > 32 * 1024 * 1024
