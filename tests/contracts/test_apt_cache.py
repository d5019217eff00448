"""The apt cache as builds meet it, on the real engine: reached from containers on docker0."""

import contextlib
import http.client
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import docker
import pytest
from docker.models.containers import Container

from paas.build.apt_cache import (
    apt_cache_url,
    bridge_address,
    container_name,
    ensure_apt_cache,
    trim_apt_cache,
)
from paas.build.debian import apt_sources
from paas.build.rootfs import find_image
from paas.errors import Unavailable
from paas.firewall import builds_table
from paas.settings import Settings
from tests.claims import free_port
from tests.contracts.apt_cache_log import apt_cache_log

pytestmark = pytest.mark.engine
CACHE = "/var/cache/apt-cacher-ng"
SHARED = "paas/apt-cache:trixie"  # taken when it is there: making it takes half a minute
WALL = ("inet", builds_table())
INSTALL = "apt-get update -qq && apt-get install -qq --no-install-recommends hello"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    root = tmp_path_factory.mktemp("apt-cache")
    instance = f"acng{secrets.token_hex(3)}"
    settings = Settings(root=root, instance=instance, apt_cache_port=free_port(bridge_address()))
    with contextlib.closing(docker.from_env(timeout=300)) as client:
        shared, own = find_image(client, SHARED), f"{instance}/apt-cache"
        if shared:
            shared.tag(own, "trixie")
        ensure_apt_cache(settings, print)
        yield settings
        for container in client.containers.list(all=True, filters={"name": instance}):
            container.remove(force=True)
        client.volumes.get(container_name(settings)).remove()
        client.images.remove(f"{own}:trixie")


@pytest.fixture(scope="module", autouse=True)
def _open_wall(settings: Settings) -> Iterator[None]:
    """Let builds reach this instance's port, if an instance's wall stands on docker0."""
    port = (*WALL, "ports", f"{{ {settings.apt_cache_port} }}")
    is_walled = nft("list", "table", *WALL).returncode == 0
    assert not is_walled or nft("add", "element", *port).returncode == 0
    yield
    nft("delete", "element", *port)


def nft(*argv: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["nft", *argv], capture_output=True, check=False, timeout=10)


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    with contextlib.closing(docker.from_env(timeout=300)) as client:
        yield client


def install_hello(engine: docker.DockerClient, settings: Settings) -> None:
    """Install a package in a fresh container with the proxy that builds get."""
    container = engine.containers.run(
        "paas/stack:trixie",
        ["sh", "-c", INSTALL],
        environment={"http_proxy": str(apt_cache_url(settings))},
        detach=True,
    )
    assert container.wait()["StatusCode"] == 0, container.logs()
    container.remove()


def do(container: Container, *argv: str) -> int:
    """Run a command in the container; detached, since docker-py leaves hijacked sockets open."""
    with contextlib.closing(docker.APIClient()) as api:
        made = api.exec_create(container.id, argv)
        api.exec_start(made["Id"], detach=True)
        while (state := api.exec_inspect(made["Id"]))["Running"]:
            time.sleep(0.02)
    return int(state["ExitCode"])


def ask(settings: Settings, request: str) -> bytes:
    """Send a raw request and return the status line."""
    parts = urlsplit(str(apt_cache_url(settings)))
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(f"{request} HTTP/1.0\r\n\r\n".encode())
        return connection.makefile("rb").readline()


def test_a_second_install_takes_the_package_from_the_cache(
    engine: docker.DockerClient, settings: Settings
) -> None:
    install_hello(engine, settings)
    install_hello(engine, settings)
    ways = [way for _, way, _, _, file in apt_cache_log(settings) if "/hello_" in file]
    assert [way for way in ways if way in "IO"] == ["I", "O", "O"]


def test_a_second_setup_keeps_the_container(
    engine: docker.DockerClient, settings: Settings
) -> None:
    before = engine.containers.get(container_name(settings)).id
    said: list[str] = []
    ensure_apt_cache(settings, said.append)
    assert (engine.containers.get(container_name(settings)).id, said) == (before, [])


def test_a_stopped_cache_is_no_address_and_setup_starts_it_again(
    engine: docker.DockerClient, settings: Settings
) -> None:
    engine.containers.get(container_name(settings)).stop(timeout=1)
    assert apt_cache_url(settings) is None
    with pytest.raises(Unavailable, match="does not run"):
        trim_apt_cache(settings)
    assert ensure_apt_cache(settings, print) == apt_cache_url(settings) is not None


def test_a_cache_made_otherwise_is_made_anew_and_keeps_its_packages(
    engine: docker.DockerClient, settings: Settings
) -> None:
    container = engine.containers.get(container_name(settings))
    do(container, "touch", f"{CACHE}/kept")
    container.remove(force=True)
    engine.containers.create(
        "paas/stack:trixie", ["sleep", "600"], name=container_name(settings)
    ).start()
    ensure_apt_cache(settings, print)
    fresh = engine.containers.get(container_name(settings))
    assert do(fresh, "test", "-e", f"{CACHE}/kept") == 0


def test_it_runs_without_any_right(engine: docker.DockerClient, settings: Settings) -> None:
    attributes = engine.containers.get(container_name(settings)).attrs
    host = attributes["HostConfig"]
    assert attributes["Config"]["User"] not in {"", "0", "root"}
    assert (host["CapDrop"], host["ReadonlyRootfs"]) == (["ALL"], True)
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert host["Memory"] == host["MemorySwap"] > 0


def test_only_docker0_reaches_it(settings: Settings) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", settings.apt_cache_port), timeout=5)


@pytest.mark.parametrize("request_line", ["CONNECT 127.0.0.1:22", "CONNECT example.org:443"])
def test_it_is_no_tunnel(settings: Settings, request_line: str) -> None:
    assert b" 403 " in ask(settings, request_line)


def test_its_admin_page_is_off(settings: Settings) -> None:
    assert b" 200 " not in ask(settings, "GET /acng-report.html?doCount=y")


def mirror(settings: Settings) -> str:
    """Return the mirror that this machine uses."""
    return apt_sources(settings.suite)[0].split()[1]


def test_plain_http_that_is_no_package_passes(settings: Settings) -> None:
    parts = urlsplit(str(apt_cache_url(settings)))
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", f"{mirror(settings)}/none-such")
        assert connection.getresponse().status == 404  # the mirror's answer, not the cache's 403


def test_old_packages_are_trimmed_and_young_ones_stay(
    engine: docker.DockerClient, settings: Settings
) -> None:
    container = engine.containers.get(container_name(settings))
    do(container, "touch", "-d", "40 days ago", f"{CACHE}/old")
    do(container, "touch", f"{CACHE}/young")
    trim_apt_cache(settings)
    assert do(container, "test", "-e", f"{CACHE}/old") == 1
    assert do(container, "test", "-e", f"{CACHE}/young") == 0


def test_a_cache_that_cannot_reach_the_mirror_is_stopped(
    engine: docker.DockerClient, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = ("deb http://127.0.0.1:9/debian trixie main",)
    monkeypatch.setattr("paas.build.apt_cache.apt_sources", lambda suite: nowhere)
    engine.containers.get(container_name(settings)).stop(timeout=1)
    with pytest.raises(Unavailable, match=r"cannot reach http://127\.0\.0\.1:9/debian"):
        ensure_apt_cache(settings, print)
    assert apt_cache_url(settings) is None
    monkeypatch.undo()
    ensure_apt_cache(settings, print)


def test_off_means_no_cache_and_a_cache_of_the_owner_is_used_while_it_answers(
    settings: Settings, tmp_path: Path
) -> None:
    url = str(apt_cache_url(settings))
    assert apt_cache_url(replace(settings, apt_cache="off")) is None
    assert apt_cache_url(replace(settings, apt_cache=url)) == url
    assert apt_cache_url(replace(settings, apt_cache="http://127.0.0.1:9")) is None
