"""nginx:set: what each property does, on a real nginx."""

import http.client
import socket
import time
from collections.abc import Callable

import pytest

from paas.errors import ProxyUnavailable
from paas.proxies.base import Site
from paas.site_logs import access_log, error_log, last_lines
from tests.proxies.client import HOST, ask, request
from tests.proxies.world import World

SHOP = "shop.test.localhost"


def publish(world: World, **options: str) -> None:
    world.proxy.switch("shop", [world.process("v1", 0, 2)])
    world.proxy.publish(world.site("shop", 0, **options))


def test_forwarded_headers_are_passed_on_where_the_owner_says_so(world: World) -> None:
    values = {"for": "203.0.113.9", "port": "443", "proto": "https"}
    options = {f"x_forwarded_{name}_value": f"$http_x_forwarded_{name}" for name in values}
    publish(world, x_forwarded_ssl="on", **options)
    sent = {f"X_Forwarded_{name.title()}": value for name, value in values.items()}
    seen = request(world.settings.http_port, SHOP, "/", "GET", b"", **sent)[1]["headers"]
    assert {name: seen[f"x-forwarded-{name}"] for name in values} == values
    assert (seen["x-forwarded-ssl"], seen["x-real-ip"]) == ("on", "127.0.0.1")


def test_a_kept_connection_is_closed_after_its_time(world: World) -> None:
    publish(world, keepalive_timeout="1s")
    connection = http.client.HTTPConnection(HOST, world.settings.http_port, timeout=20)
    assert ask(connection, SHOP)[0] == 200
    assert isinstance(connection.sock, socket.socket)
    assert connection.sock.recv(1) == b""
    connection.close()


def test_buffers_of_any_sizes_that_nginx_takes_are_taken(world: World) -> None:
    publish(world, proxy_buffers="4 32k", proxy_busy_buffers_size="64k", proxy_buffering="on")
    world.proxy.publish(world.site("shop", 0, proxy_buffer_size="32k", lingering_timeout="9s"))
    assert request(world.settings.http_port, SHOP)[0] == 200


@pytest.mark.parametrize(
    "options",
    [{"proxy_buffers": "1 4k"}, {"proxy_busy_buffers_size": "1k"}, {"access_log_format": "none"}],
)
def test_what_nginx_refuses_leaves_the_site_as_it_was(
    world: World, options: dict[str, str]
) -> None:
    publish(world)
    before = world.proxy.config("shop")
    with pytest.raises(ProxyUnavailable):
        world.proxy.publish(world.site("shop", 0, **options))
    assert world.proxy.config("shop") == before
    world.proxy.validate()
    assert request(world.settings.http_port, SHOP)[0] == 200


def test_the_access_log_can_have_another_format(world: World) -> None:
    publish(world, access_log_format="combined")
    request(world.settings.http_port, SHOP, "/seen")
    path = access_log(world.settings, "shop")
    wait_for(lambda: last_lines(path, 1))
    assert '"GET /seen HTTP/1.1" 200' in last_lines(path, 1)[0]


def test_the_error_log_of_an_app_tells_why_it_does_not_answer(world: World) -> None:
    world.proxy.publish(world.site("shop", 0))
    assert request(world.settings.http_port, SHOP)[0] == 502
    assert f"server: {SHOP}" in error_log(world.settings, "shop").read_text()
    world.proxy.publish(world.site("shop", 0, error_log="off"))
    size = error_log(world.settings, "shop").stat().st_size
    request(world.settings.http_port, SHOP)
    assert error_log(world.settings, "shop").stat().st_size == size


def test_a_wildcard_gets_what_no_other_site_names(world: World) -> None:
    publish(world)
    service = (world.service(0),)
    world.proxy.publish(Site("shop", ("*.shop.example", "shop.example"), service))
    world.proxy.publish(Site("blog", ("blog.shop.example",), ()))
    port = world.settings.http_port
    assert request(port, "any.shop.example")[1]["name"] == "v1"
    assert request(port, "shop.example")[0] == 200
    assert request(port, "blog.shop.example")[0] == 503


def test_a_configuration_that_is_broken_is_told(world: World) -> None:
    publish(world)
    (world.settings.nginx / "sites" / "zz.conf").write_text("nonsense")
    with pytest.raises(ProxyUnavailable) as seen:
        world.proxy.validate()
    assert "nonsense" in seen.value.message or "zz.conf" in seen.value.message


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
