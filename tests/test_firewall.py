"""The wall: what a container, a build, or a machine of the network may reach, tried for real."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from paas.firewall import apt_cache_port, name_servers, render
from paas.proxies.routes import Routes
from paas.settings import Settings
from tests.conftest import Golden
from tests.proxies.netns import Namespace, bridge, engine_network
from tests.proxies.world import PORT, World, listening

BUILDS = IPv4Network("198.51.100.0/24")
BESIDE = IPv4Network("203.0.113.0/24")
METADATA = "169.254.169.254"
OPEN = "open"
REFUSED = "ConnectionRefusedError 111"
SILENCE = "TimeoutError None"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An instance with its wall; its bridges are networks of the real engine. No nginx."""
    with ExitStack() as stack:
        made = World(tmp_path, stack, engine_network)
        made.proxy.switch("shop", ())
        yield made


@pytest.fixture
def step(world: World) -> Namespace:
    """A build's step, on a bridge that stands for Docker's default one."""
    made = world.namespace_on(world.build_bridge, BUILDS, 2)
    Routes(world.settings, world.build_bridge).restore(dict)
    return made


@pytest.fixture
def metadata(world: World) -> Namespace:
    """A machine beside the host that answers at the metadata address."""
    subnet = IPv4Network("169.254.169.0/24")
    made = world.namespace_on(f"x{world.settings.instance}", subnet, 254, bridge)
    made.serve("secrets", 80)
    return made


def gateway(world: World, index: int) -> str:
    return str(world.settings.subnet(index)[1])


@pytest.mark.engine
def test_an_app_cannot_reach_a_port_of_the_host(world: World) -> None:
    app = world.namespace(0, 2)
    with listening() as port:
        assert app.connect(gateway(world, 0), port) == REFUSED
        world.remove_kernel_state()
        assert app.connect(gateway(world, 0), port) == OPEN  # so it was the wall


@pytest.mark.engine
def test_an_app_may_call_the_public_http_port_on_any_address_of_the_host(world: World) -> None:
    app, other = world.namespace(0, 2), world.namespace(1, 2)
    with listening(world.settings.http_port):
        assert app.connect(gateway(world, 0), world.settings.http_port) == OPEN
        assert other.connect(gateway(world, 0), world.settings.http_port) == OPEN


@pytest.mark.engine
def test_an_app_cannot_reach_the_metadata_address(world: World, metadata: Namespace) -> None:
    app = world.namespace(0, 2)
    assert app.connect(metadata.address, 80) == REFUSED
    world.remove_kernel_state()
    assert app.connect(metadata.address, 80) == OPEN  # so it was the wall


@pytest.mark.engine
def test_an_app_cannot_reach_another_app(world: World) -> None:
    app, other = world.namespace(0, 2), world.namespace(1, 2)
    other.serve("other", PORT)
    assert app.connect(other.address, PORT) == REFUSED


@pytest.mark.engine
def test_processes_of_one_app_reach_each_other(world: World) -> None:
    web, worker = world.namespace(0, 2), world.namespace(0, 3)
    web.serve("web", PORT)
    assert worker.connect(web.address, PORT) == OPEN


@pytest.mark.engine
def test_an_app_cannot_use_a_service_address(world: World) -> None:
    world.proxy.switch("shop", [world.process("web", 0, 2)])
    assert world.namespace(1, 2).connect(world.service(0), 80) == REFUSED


@pytest.mark.engine
def test_an_app_reaches_a_database_in_a_private_network(world: World) -> None:
    database = world.namespace_on(f"y{world.settings.instance}", BESIDE, 2, bridge)
    database.serve("database", PORT)
    assert world.namespace(0, 2).connect(database.address, PORT) == OPEN


@pytest.mark.engine
def test_another_machine_cannot_reach_into_an_apps_network(world: World) -> None:
    world.process("web", 0, 2)
    machine = world.namespace_on(f"y{world.settings.instance}", BESIDE, 2, bridge)
    assert machine.connect(str(world.settings.subnet(0)[2]), PORT) == REFUSED


@pytest.mark.engine
def test_the_host_reaches_the_app(world: World) -> None:
    world.process("web", 0, 2)
    with socket.create_connection((str(world.settings.subnet(0)[2]), PORT), 5):
        pass


@pytest.mark.engine
def test_a_packet_with_a_forged_source_address_goes_nowhere(world: World) -> None:
    app, forged = world.namespace(0, 2), str(world.settings.subnet(1)[9])
    app.ip("addr", "add", f"{forged}/32", "dev", "lo")
    listener = world.namespace_on(f"y{world.settings.instance}", BESIDE, 2, bridge)
    with listener.datagrams(PORT) as received:
        app.send_datagram(app.address, listener.address, PORT)
        assert received.readline() == f"{BESIDE[1]}\n"  # the honest one, masqueraded
        app.send_datagram(forged, listener.address, PORT)
        app.send_datagram(app.address, listener.address, PORT)
        assert received.readline() == f"{BESIDE[1]}\n"


@pytest.mark.engine
def test_a_build_reaches_the_apt_cache_and_no_other_port_of_the_host(
    world: World, step: Namespace
) -> None:
    with listening(world.settings.apt_cache_port) as cache, listening() as other:
        assert step.connect(str(BUILDS[1]), cache) == OPEN
        assert step.connect(str(BUILDS[1]), other) == REFUSED


@pytest.mark.engine
def test_a_build_reaches_neither_its_neighbours_nor_an_app(world: World, step: Namespace) -> None:
    neighbour = world.namespace_on(world.build_bridge, BUILDS, 3)
    neighbour.serve("neighbour", PORT)
    route = world.process("web", 0, 2)
    assert step.connect(neighbour.address, PORT) in {REFUSED, SILENCE}
    assert step.connect(route.address, PORT) == REFUSED


@pytest.mark.engine
def test_a_build_cannot_reach_the_metadata_address(step: Namespace, metadata: Namespace) -> None:
    assert step.connect(metadata.address, 80) == REFUSED


@pytest.mark.engine
def test_neither_apps_nor_builds_reach_another_clouds_metadata(
    world: World, step: Namespace
) -> None:
    subnet = IPv4Network("100.100.100.0/24")
    cloud = world.namespace_on(f"x{world.settings.instance}", subnet, 200, bridge)
    cloud.serve("secrets", 80)
    assert world.namespace(0, 2).connect(cloud.address, 80) == REFUSED
    assert step.connect(cloud.address, 80) == REFUSED


@pytest.mark.engine
def test_another_machine_cannot_use_the_apt_cache(world: World, step: Namespace) -> None:
    machine = world.namespace_on(f"y{world.settings.instance}", BESIDE, 2, bridge)
    with listening(world.settings.apt_cache_port) as cache:
        assert machine.connect(str(BUILDS[1]), cache) == REFUSED
        assert step.connect(str(BUILDS[1]), cache) == OPEN


@pytest.mark.engine
def test_a_build_cannot_pose_as_the_gateway_of_another(world: World, step: Namespace) -> None:
    victim = world.namespace_on(world.build_bridge, BUILDS, 3)
    with victim.announcements() as heard:
        for claimed in (str(BUILDS[1]), "192.0.2.1"):
            step.announce(claimed)
        assert heard.readline() == "192.0.2.1\n"  # the other was dropped on its way


@pytest.mark.engine
def test_two_instances_keep_both_apt_caches_open_to_builds(
    world: World, step: Namespace, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        second = World(tmp_path / "second", stack, engine_network)
        Routes(second.settings, world.build_bridge).restore(dict)
        for port in (world.settings.apt_cache_port, second.settings.apt_cache_port):
            with listening(port):
                assert step.connect(str(BUILDS[1]), port) == OPEN


def test_the_ruleset_is_the_golden_one(golden: Golden) -> None:
    text = render(Settings(), ["192.0.2.53"])
    golden(Path(__file__).parent / "golden" / "firewall.nft", text)


def test_name_servers_on_loopback_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text(
        "nameserver 127.0.0.53\nnameserver 192.0.2.53\nnameserver ::1\n# nameserver x\n"
    )
    assert name_servers([file, tmp_path / "missing"]) == ("192.0.2.53",)


@pytest.mark.parametrize(
    ("setting", "port"), [("off", None), ("managed", 3142), ("http://10.0.0.1:8000", 8000)]
)
def test_the_apt_caches_port_comes_from_the_setting(setting: str, port: int | None) -> None:
    assert apt_cache_port(Settings(apt_cache=setting)) == port
