"""Programs on a terminal see its size from their first instruction.

The engine makes terminals without a size, and takes one only once a process runs. So a shell runs
first, and waits for a line; that is typed when the size is set, and then the program takes the
shell's place. Images without a shell have the size a moment late. (From API 1.42 on an engine can
be told the size before; older ones, as Debian 12 has, cannot, and this serves all of them.)
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from paas.schedulers.base import Streams
from paas.schedulers.streams import Hijacked, write_all

SHELL = "/bin/sh"
GATE = "read -r _\n"
TYPED, ECHO = b"\n", b"\r\n"  # the terminal shows what is typed: that is nobody's output


def is_wanted(streams: Streams) -> bool:
    """Whether there is a terminal whose size matters, and which can be typed to."""
    return streams.window is not None and streams.stdin is not None


def put_before(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a container's settings change for it: nothing unless a shell runs its line."""
    if config.get("Entrypoint") != [SHELL, "-c"]:
        return {}
    return {"Cmd": [GATE + config["Cmd"][0]]}


def is_before(config: Mapping[str, Any]) -> bool:
    """Whether put_before() changed these settings: no line of an app begins so (see shell_line)."""
    return config.get("Entrypoint") == [SHELL, "-c"] and config["Cmd"][0].startswith(GATE)


def put_before_command(argv: Sequence[str]) -> list[str]:
    """Return a command that waits, then becomes `argv`."""
    return [SHELL, "-c", f'{GATE}exec "$@"', SHELL, *argv]


def has_shell(pid: int) -> bool:
    """Whether the container of a process, by its pid on the host, has a shell."""
    return os.path.lexists(f"/proc/{pid}/root{SHELL}")


def open_up(connection: Hijacked, streams: Streams) -> None:
    """Let the program begin. What comes instead of the echo, of a start that failed, is shown."""
    with suppress(OSError):  # it has ended
        connection.sock.sendall(TYPED)
    answer = connection.output.read(len(ECHO))
    if answer != ECHO:
        write_all(streams.stdout, answer)
