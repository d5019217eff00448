"""A real nginx and real nftables of a throw-away instance, and apps in network namespaces."""

import secrets
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from paas.firewall import builds_table, table
from paas.proxies import own_nginx
from paas.proxies.base import Route, Site
from paas.proxies.nginx import NginxProxy
from paas.settings import Settings
from tests.proxies.netns import Namespace, bridge

PORT = 5000


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class World:
    """One instance: settings, proxy, and app processes that can be added."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        octet = 2 * secrets.randbelow(40) + 120
        self.settings = Settings(
            root=root,
            instance=f"t{secrets.token_hex(2)}",
            domain="test.localhost",
            http_port=free_port(),
            https_port=free_port(),
            network=f"10.{octet}.0.0/16",
            services=f"10.{octet + 1}.0.0/16",
            nginx_conf=root / "nginx.conf",
            nginx_pid=root / "nginx.pid",
        )
        self.build_bridge = f"b{self.settings.instance}"
        self.proxy = NginxProxy(self.settings, self.build_bridge)
        self._stack = stack
        self._bridges: set[int] = set()
        self._count = 0

    def start_nginx(self) -> None:
        # root, because the folders of a test may be entered by root only
        own_nginx.start(self.settings, user="root")
        self._stack.callback(own_nginx.stop, self.settings)

    def namespace(self, index: int, host: int, bridge_name: str = "") -> Namespace:
        """A container's network in the subnet of app `index`."""
        name = bridge_name or self.settings.bridge(index)
        subnet = self.settings.subnet(index)
        if index not in self._bridges:
            self._stack.enter_context(bridge(name, subnet))
            self._bridges.add(index)
        self._count += 1
        made = Namespace(f"{self.settings.instance}{self._count}", name, subnet, str(subnet[host]))
        self._stack.callback(made.close)
        return made

    def process(self, name: str, index: int, host: int) -> Route:
        """A running process of app `index`; its route is for web slot 1."""
        space = self.namespace(index, host)
        space.serve(name, PORT)
        return Route(self.service(index), space.address, PORT)

    def service(self, index: int, slot: int = 1) -> str:
        return str(self.settings.service_address(index, slot))

    def site(self, app: str, index: int, **options: str) -> Site:
        named = {key.replace("_", "-"): value for key, value in options.items()}
        return Site(app, (f"{app}.test.localhost",), (self.service(index),), named)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An instance with its own nginx running and nothing published."""
    with ExitStack() as stack:
        made = World(tmp_path, stack)
        stack.callback(_remove_kernel_state, made)
        made.start_nginx()
        yield made


def _remove_kernel_state(world: World) -> None:
    for name in (table(world.settings), builds_table(world.build_bridge)):
        subprocess.run(["nft", "delete", "table", "inet", name], capture_output=True, check=False)
    subprocess.run(
        ["ip", "route", "del", world.settings.services], capture_output=True, check=False
    )
