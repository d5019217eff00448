"""How door and daemon talk: one JSON object per line over a unix stream socket.

The door connects and sends its request as the first line; the descriptors 0, 1 and 2 of the
command travel with its first byte (SCM_RIGHTS, unix(7)). The socket stays open as the control
channel. Door to daemon: `{"size": [rows, columns]}`, `{"signal": "INT"}`; the end of the stream
means that the client is gone. Daemon to door: `{"exit": status}`, once, with `"say": text` when
there was no descriptor to write to. Imports next to nothing: doors must start fast.
"""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence

LINE_BYTES = 64 * 1024  # of a request: 8 KiB of argv, where JSON may need six bytes for one
SIGNALS = ("INT", "TERM", "HUP", "QUIT")
LOST = 255  # what ssh itself exits with when the other side is lost

Message = dict[str, object]


def connect(path: str) -> socket.socket:
    """Connect to the daemon. Raises OSError."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def send(
    connection: socket.socket, message: Mapping[str, object], descriptors: Sequence[int] = ()
) -> None:
    """Send one message, with descriptors if any are given. Raises OSError."""
    line = json.dumps(message).encode() + b"\n"
    sent = socket.send_fds(connection, [line], descriptors) if descriptors else 0
    connection.sendall(line[sent:])


def messages(connection: socket.socket, pending: bytes = b"") -> Iterator[Message]:
    """Yield the messages that arrive until the other side closes.

    `pending` was read before. Raises ValueError for what is no message, OSError.
    """
    while True:
        while b"\n" in pending:
            line, _, pending = pending.partition(b"\n")
            yield parse(line)
        if len(pending) > LINE_BYTES:
            raise ValueError("the message is too long")
        received = connection.recv(LINE_BYTES)
        if not received:
            return
        pending += received


def parse(line: bytes) -> Message:
    """Return the message in one line. Raises ValueError."""
    try:
        message = json.loads(line)
    except RecursionError:
        raise ValueError("the message is nested too deep") from None
    if not isinstance(message, dict):
        raise ValueError("the message is not an object")  # noqa: TRY004 - one error for all that is wrong
    return message


def wait_for_exit(connection: socket.socket) -> tuple[int, str]:
    """Return the exit status and what the door is to say; LOST when the daemon's child was lost."""
    try:
        for message in messages(connection):
            status = message.get("exit")
            if isinstance(status, int):
                return status & 0xFF, str(message.get("say", ""))
    except (OSError, ValueError):
        pass  # as good as a child that died: there is no status
    return LOST, "The command was lost: the process that worked on it ended without an exit status"
