"""The first call to an engine."""

import socket
import threading
from pathlib import Path

import pytest

from paas.engine_api import api_version


def answer_once(path: Path, answer: bytes) -> str:
    """Listen like an engine that gives this answer to one call; return its URL."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            client.recv(4096)
            client.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return f"unix://{path}"


def test_the_version_is_that_of_the_pings_header(tmp_path: Path) -> None:
    url = answer_once(
        tmp_path / "engine.sock",
        b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK",
    )
    assert api_version(url, 5) == "1.41"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_what_is_no_engine_is_an_error_of_the_system(tmp_path: Path, answer: bytes) -> None:
    url = answer_once(tmp_path / "engine.sock", answer)
    with pytest.raises(OSError, match=r"."):
        api_version(url, 5)


def test_nobody_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        api_version(f"unix://{tmp_path}/none.sock", 5)
