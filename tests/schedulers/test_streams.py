import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.errors import EngineUnavailable
from paas.schedulers.streams import hijack, read_frames

HEAD = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
FRAME = b"\x01\0\0\0\0\0\0\x02hi" + b"\x02\0\0\0\0\0\0\x03bad"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "engine.sock"))
        server.listen()
        yield server


def answer(server: socket.socket, data: bytes) -> threading.Thread:
    def run() -> None:
        client, _ = server.accept()
        with client:
            client.recv(65536)
            client.sendall(data)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_frames_are_taken_apart() -> None:
    assert list(read_frames(io.BytesIO(FRAME))) == [(1, b"hi"), (2, b"bad")]


def test_a_frame_that_is_cut_ends_the_stream() -> None:
    assert list(read_frames(io.BytesIO(FRAME[:-1]))) == [(1, b"hi"), (2, b"ba")]


def test_output_that_arrives_with_the_answers_head_is_not_lost(engine: socket.socket) -> None:
    thread = answer(engine, HEAD + FRAME)
    connection = hijack(f"unix://{engine.getsockname()}", "1.41", "/x", {}, 5)
    assert [data for _, data in read_frames(connection.output)] == [b"hi", b"bad"]
    connection.close()
    thread.join()


@pytest.mark.parametrize(
    "refusal", [b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", b"", b"SSH-2.0\r\n\r\n"]
)
def test_a_refused_upgrade_is_told(engine: socket.socket, refusal: bytes) -> None:
    thread = answer(engine, refusal)
    with pytest.raises(EngineUnavailable):
        hijack(f"unix://{engine.getsockname()}", "1.41", "/x", {}, 5)
    thread.join()
