import os
import socket

from paas.schedulers import sockets
from paas.schedulers.base import Listener


def test_our_own_sockets_are_seen_with_address_port_and_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert Listener("127.0.0.1", port) in sockets.listeners(os.getpid())
        assert sockets.connections(os.getpid(), port) == 0
        with socket.create_connection(("127.0.0.1", port)):
            assert sockets.connections(os.getpid(), port) == 1


def test_an_ipv6_socket_is_decoded() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert Listener("::1", server.getsockname()[1]) in sockets.listeners(os.getpid())


def test_the_engines_own_resolver_is_not_the_apps(monkeypatch: object) -> None:
    line = "0: 0B00007F:A0D1 00000000:0000 0A 0:0 0:0 0 0 0 1"
    assert sockets._parse(line).address == sockets.ENGINE_DNS


def test_a_process_that_is_gone_has_no_sockets() -> None:
    assert sockets.listeners(2**22 + 1) == ()
