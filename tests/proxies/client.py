"""Clients of a proxy under test: plain requests, raw bytes, websockets, and steady load."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

HOST = "127.0.0.1"


def request(
    port: int, host: str, path: str = "/", method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, Any]]:
    """Return status and answer: what the test app shows, or {"text": ...} of another page."""
    connection = http.client.HTTPConnection(HOST, port, timeout=20)
    try:
        return ask(connection, host, path, method, body, **headers)
    finally:
        connection.close()


def ask(
    connection: http.client.HTTPConnection,
    host: str,
    path: str = "/",
    method: str = "GET",
    body: bytes = b"",
    **headers: str,
) -> tuple[int, dict[str, Any]]:
    """Do the same on a connection that stays open."""
    sent = {"Host": host} | {key.replace("_", "-"): value for key, value in headers.items()}
    connection.request(method, path, body=body or None, headers=sent)
    response = connection.getresponse()
    answer = response.read()
    shown = answer.startswith(b"{")
    return response.status, json.loads(answer) if shown else {"text": answer.decode()}


def raw(port: int, data: bytes) -> bytes:
    """Send bytes, return what comes until the other side closes."""
    with socket.create_connection((HOST, port), 10) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


class WebSocket:
    """An upgraded connection on which the test app echoes lines with its name."""

    def __init__(self, port: int, host: str) -> None:
        self._socket = socket.create_connection((HOST, port), 20)
        self._file = self._socket.makefile("rb")
        head = (
            f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        assert b" 101 " in self._file.readline()
        while self._file.readline().strip():
            pass

    def echo(self, text: str) -> str:
        self._socket.sendall(text.encode() + b"\n")
        return self._file.readline().decode().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()


class Load:
    """Steady POSTs: each thread on one kept connection, or on a new one each time."""

    def __init__(self, port: int, host: str, *, is_kept: bool) -> None:
        self.answers = 0
        self.failures: list[str] = []
        self._port, self._host, self._is_kept = port, host, is_kept
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=20)
        while not self._stop.is_set():
            try:
                status, shown = ask(connection, self._host, "/", "POST", b"x=1")
                if (status, shown.get("body")) != (200, "x=1"):
                    self.failures.append(f"{status} {shown}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()  # the next request opens a new one
            self.answers += 1
            if not self._is_kept:
                connection.close()
        connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def loads(port: int, host: str) -> Iterator[tuple[Load, Load]]:
    """One load on a kept connection and one on new connections."""
    with Load(port, host, is_kept=True) as kept, Load(port, host, is_kept=False) as fresh:
        yield kept, fresh
