"""switch(): the route moves in the kernel; nginx and all open connections stay as they are."""

import multiprocessing
import re
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from paas.errors import InvalidName
from paas.firewall import source_address
from paas.proxies.base import Route
from paas.proxies.routes import ELEMENT, Routes, restore_commands
from paas.settings import Settings
from tests.claims import free_port
from tests.proxies.client import WebSocket, loads, request
from tests.proxies.world import PORT, World

SHOP, BLOG = "shop.test.localhost", "blog.test.localhost"


def name_of(world: World, host: str = SHOP) -> str:
    return str(request(world.settings.http_port, host)[1].get("name"))


def serve(world: World, app: str, index: int, *names: str) -> list[Route]:
    """Publish an app with the first of these processes; return all their routes."""
    routes = [world.process(name, index, host) for host, name in enumerate(names, 2)]
    world.proxy.switch(app, routes[:1])
    world.proxy.publish(world.site(app, index))
    return routes


def in_kernel(settings: Settings) -> list[tuple[str, ...]]:
    command = ["nft", "list", "map", "inet", f"paas_{settings.instance}", "web"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return sorted(ELEMENT.findall(done.stdout))


def workers(world: World) -> str:
    pid = int(world.settings.nginx_pid.read_text())
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()


def test_new_requests_go_to_the_new_process_at_once(world: World) -> None:
    routes = serve(world, "shop", 0, "v1", "v2")
    for route, name in zip(routes * 3, ["v1", "v2"] * 3, strict=True):
        world.proxy.switch("shop", [route])
        assert [name_of(world) for _ in range(5)] == [name] * 5


def test_an_open_websocket_stays_on_the_old_process(world: World) -> None:
    routes = serve(world, "shop", 0, "v1", "v2")
    with WebSocket(world.settings.http_port, SHOP) as client:
        world.proxy.switch("shop", routes[1:])
        assert client.echo("hello") == "v1 hello"
        assert name_of(world) == "v2"
        assert client.echo("again") == "v1 again"


def test_a_switch_under_load_loses_no_request(world: World) -> None:
    routes = serve(world, "shop", 0, "v1", "v2")
    with loads(world.settings.http_port, SHOP) as running:
        for turn in range(40):
            world.proxy.switch("shop", [routes[turn % 2]])
    assert [load.failures for load in running] == [[], []]
    assert all(load.answers > 40 for load in running)


def test_a_neighbours_websocket_and_kept_posts_survive_twenty_switches(world: World) -> None:
    routes = serve(world, "shop", 0, "v1", "v2")
    serve(world, "blog", 1, "blog")
    before = workers(world)
    port = world.settings.http_port
    with WebSocket(port, BLOG) as client, loads(port, BLOG) as running:
        for turn in range(20):
            world.proxy.switch("shop", [routes[turn % 2]])
            assert client.echo(str(turn)) == f"blog {turn}"
    assert [load.failures for load in running] == [[], []]
    assert workers(world) == before


def test_an_app_without_a_route_is_refused_at_once_with_a_plain_page(world: World) -> None:
    serve(world, "shop", 0, "v1")
    world.proxy.switch("shop", ())
    status, shown = request(world.settings.http_port, SHOP)
    assert status == 502
    assert "The app does not answer" in shown["text"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((world.service(0), 80), 1)


def test_service_addresses_never_leave_the_host(world: World) -> None:
    world.proxy.switch("shop", ())
    command = ["ip", "route", "get", world.service(7)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert re.search(r" dev lo\b", done.stdout)


def test_apps_see_one_address_of_the_host_that_never_changes(world: World) -> None:
    serve(world, "shop", 0, "v1")
    peer = request(world.settings.http_port, SHOP)[1]["peer"]
    assert peer == str(source_address(world.settings))


def test_routes_that_are_not_listed_are_removed(world: World) -> None:
    two = [Route(world.service(0, slot), f"10.9.9.{slot}", PORT) for slot in (1, 2)]
    world.proxy.switch("shop", two)
    world.proxy.switch("blog", [Route(world.service(1), "10.9.9.9", PORT)])
    world.proxy.switch("shop", two[1:])
    found = [service for service, *_ in in_kernel(world.settings)]
    assert found == [world.service(0, 2), world.service(1)]


def test_the_file_alone_puts_wall_and_routes_back_at_boot(world: World) -> None:
    serve(world, "shop", 0, "v1")
    world.remove_kernel_state()
    for command in restore_commands(world.settings):
        subprocess.run(command, check=True)
    assert name_of(world) == "v1"


def test_a_switch_mends_a_table_that_somebody_flushed(world: World) -> None:
    routes = serve(world, "shop", 0, "v1", "v2")
    serve(world, "blog", 1, "blog")
    world.remove_kernel_state()
    world.proxy.switch("shop", routes[1:])
    assert (name_of(world), name_of(world, BLOG)) == ("v2", "blog")


def test_restore_removes_what_is_not_listed_and_mends_what_was_changed_by_hand(
    world: World,
) -> None:
    routes = serve(world, "shop", 0, "v1")
    serve(world, "gone", 1, "gone")
    table = f"inet paas_{world.settings.instance}"
    subprocess.run(["nft", "flush", "chain", *table.split(), "wall"], check=True)
    world.proxy.restore(lambda: [world.site("shop", 0)], lambda: {"shop": routes})
    command = ["nft", "list", "chain", *table.split(), "wall"]
    listed = subprocess.run(command, check=True, capture_output=True)
    assert b"goto app" in listed.stdout
    assert [service for service, *_ in in_kernel(world.settings)] == [world.service(0)]
    assert sorted(p.name for p in (world.settings.nginx / "sites").iterdir()) == ["shop.conf"]


def switch_often(settings: Settings, index: int) -> None:
    routes = Routes(settings)
    for turn in range(10):
        service = str(settings.service_address(index, 1))
        routes.switch(f"app{index}", [Route(service, f"10.9.{index}.{turn}", PORT)])


def test_switches_of_several_processes_at_once_all_arrive(world: World) -> None:
    world.proxy.switch("shop", ())
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=switch_often, args=(world.settings, n)) for n in range(1, 4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [p.exitcode for p in processes] == [0, 0, 0]
    expected = [(world.service(n), f"10.9.{n}.9", str(PORT)) for n in range(1, 4)]
    assert in_kernel(world.settings) == expected


@pytest.mark.parametrize(
    "route",
    [
        Route("192.0.2.1", "10.9.9.9", PORT),
        Route("{service}", "10.9.9.9 }; flush ruleset", PORT),
        Route("{service}", "10.9.9.9", 0),
    ],
)
def test_a_route_that_is_not_of_this_instance_is_refused(world: World, route: Route) -> None:
    service = route.service.format(service=world.service(0))
    with pytest.raises((InvalidName, ValueError)):
        world.proxy.switch("shop", [Route(service, route.address, route.port)])
    assert not (world.settings.root / "nft" / "routes" / "shop.nft").exists()


class TestPortsThatComeBack:
    """A new connection with the ports of an old one, which the kernel still remembers."""

    def connect(self, world: World, source: int, timeout: float = 5) -> socket.socket:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(("", source))
        made.settimeout(timeout)
        try:
            made.connect((world.service(0), 80))
        except OSError:
            made.close()
            raise
        return made

    def ask(self, connection: socket.socket) -> bytes:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b""))

    def test_after_an_attempt_that_nobody_answered(self, world: World) -> None:
        port = free_port()
        silent = world.namespace(0, 9)
        silent.ip("link", "set", "eth0", "down")
        new = world.process("v2", 0, 3)
        permanent = ["neigh", "replace", silent.address, "lladdr", "02:00:00:00:00:09"]
        subprocess.run(["ip", *permanent, "dev", world.settings.bridge(0)], check=True)
        world.proxy.switch("shop", [Route(new.service, silent.address, PORT)])
        with pytest.raises(TimeoutError):
            self.connect(world, port, timeout=0.5)
        world.proxy.switch("shop", [new])
        with self.connect(world, port) as again:
            assert b'"name": "v2"' in self.ask(again)

    def test_after_a_connection_that_was_cut(self, world: World) -> None:
        port = free_port()
        old, new = world.process("v1", 0, 2), world.process("v2", 0, 3)
        world.proxy.switch("shop", [old])
        with self.connect(world, port) as first:
            first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        world.proxy.switch("shop", [new])
        with self.connect(world, port) as again:
            assert b'"name": "v2"' in self.ask(again)

    def test_after_a_connection_that_the_app_ended(self, world: World) -> None:
        port = free_port()
        old, new = world.process("v1", 0, 2), world.process("v2", 0, 3)
        world.proxy.switch("shop", [old])
        with self.connect(world, port) as first:
            assert b'"name": "v1"' in self.ask(first)
        world.proxy.switch("shop", [new])
        with self.connect(world, port) as again:
            assert b'"name": "v2"' in self.ask(again)


def test_a_retried_syn_reaches_the_process_that_stands_there_by_then(world: World) -> None:
    silent = world.namespace(0, 9)
    new = world.process("v2", 0, 3)
    silent.ip("link", "set", "eth0", "down")
    permanent = ["neigh", "replace", silent.address, "lladdr", "02:00:00:00:00:09"]
    subprocess.run(["ip", *permanent, "dev", world.settings.bridge(0)], check=True)
    world.proxy.switch("shop", [Route(new.service, silent.address, PORT)])
    with socket.socket() as waiting:
        waiting.setblocking(False)
        waiting.connect_ex((world.service(0), 80))
        time.sleep(0.2)
        world.proxy.switch("shop", [new])
        waiting.settimeout(10)
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b'"name": "v2"' in waiting.recv(65536)
