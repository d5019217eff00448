"""A throw-away instance: real nftables, its own nginx, and apps in network namespaces."""

import itertools
import secrets
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from paas.firewall import builds_table
from paas.proxies import own_nginx
from paas.proxies.base import Route, Site
from paas.proxies.nginx import NginxProxy
from paas.proxies.routes import removal_commands
from paas.settings import Settings
from tests import claims
from tests.claims import free_port
from tests.proxies.netns import Namespace, bridge

PORT = 5000
_turn = itertools.count()
MakeBridge = Callable[[str, IPv4Network], AbstractContextManager[None]]


@contextmanager
def listening(port: int = 0) -> Iterator[int]:
    """A listening socket on every address of the host."""
    with socket.create_server(("0.0.0.0", port), backlog=16) as listener:
        yield int(listener.getsockname()[1])


class World:
    """One instance: settings, proxy, and app processes that can be added."""

    def __init__(self, root: Path, stack: ExitStack, make_bridge: MakeBridge = bridge) -> None:
        # Small ranges from a part that nothing else on a host of paas uses.
        start = IPv4Address("10.20.0.0") + 4096 * (claims.block() * 5 + next(_turn) % 5)
        self.settings = Settings(
            root=root,
            instance=f"t{secrets.token_hex(2)}",
            domain="test.localhost",
            http_port=free_port(),
            https_port=free_port(),
            network=f"{start}/21",
            services=f"{start + 2048}/21",
            apt_cache_port=free_port(),
            nginx_conf=root / "nginx.conf",
            nginx_pid=root / "nginx.pid",
        )
        self.build_bridge = f"b{self.settings.instance}"
        self.proxy = NginxProxy(self.settings, self.build_bridge)
        self._stack = stack
        self._make_bridge = make_bridge
        self._bridges: set[str] = set()
        self._count = 0
        stack.callback(self.remove_kernel_state)

    def remove_kernel_state(self) -> None:
        """Take wall, map and route out of the kernel; the files stay."""
        builds = builds_table(self.build_bridge)
        shared = [("nft", "delete", "table", kind, builds) for kind in ("inet", "bridge")]
        for command in (*removal_commands(self.settings), *shared):
            subprocess.run(command, capture_output=True, check=False)

    def start_nginx(self) -> None:
        # root, because the folders of a test may be entered by root only
        own_nginx.start(self.settings, user="root")
        self._stack.callback(own_nginx.stop, self.settings)

    def namespace(self, index: int, host: int) -> Namespace:
        """A container's network in the subnet of app `index`."""
        return self.namespace_on(self.settings.bridge(index), self.settings.subnet(index), host)

    def namespace_on(
        self, bridge_name: str, subnet: IPv4Network, host: int, make: MakeBridge | None = None
    ) -> Namespace:
        """A machine with address `host` of the subnet, on a bridge that is made if missing."""
        if bridge_name not in self._bridges:
            self._stack.enter_context((make or self._make_bridge)(bridge_name, subnet))
            self._bridges.add(bridge_name)
        self._count += 1
        name = f"{self.settings.instance}{self._count}"
        made = Namespace(name, bridge_name, subnet, str(subnet[host]))
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
