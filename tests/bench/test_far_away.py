"""A link of the benches' own delays packets and loses none."""

import socket
import threading
import time

import pytest

from bench.far_away import far_away

DELAY = 0.05
pytestmark = pytest.mark.real


def test_bytes_come_late_and_whole() -> None:
    with far_away(DELAY) as way, socket.create_server(("0.0.0.0", 0)) as server:
        threading.Thread(target=echo, args=(server,), daemon=True).start()
        start = time.monotonic()
        with way.dial(server.getsockname()[1]) as line:
            assert time.monotonic() - start >= 2 * DELAY
            data = bytes(range(256)) * 400
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
            assert b"".join(iter(lambda: line.recv(65536), b"")) == data


def test_two_ways_do_not_meet() -> None:
    with far_away(DELAY) as one, far_away(DELAY) as other:
        assert one.namespace != other.namespace
        assert one.address != other.address


def echo(server: socket.socket) -> None:
    line, _ = server.accept()
    with line:
        while data := line.recv(65536):
            line.sendall(data)
