"""The local door: `paas VERB ...` on the host hands its own descriptors to the daemon.

Imports next to nothing, because a verb is answered in the time that Python needs to start.
"""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator

from paas.doors import wire
from paas.root import socket_path

FORBIDDEN = 1
ALLOWED = ("NO_COLOR", "FORCE_COLOR", "LANG", "GIT_PROTOCOL")


def main(argv: list[str]) -> int:
    """Run a command as the local admin; return its exit status."""
    try:
        path = socket_path()
    except PermissionError as error:
        _say(f"Only root and the doors may read {error.filename}", FORBIDDEN)
        return _say("Run it as root: sudo paas ...", FORBIDDEN)
    return hand_over({"door": "local", "argv": argv}, path)


def hand_over(request: wire.Message, path: str) -> int:
    """Hand our standard descriptors over with `request`, which is completed here; wait for the end.

    Signals and the window's size go to the daemon's child; a terminal is left as it was found.
    """
    try:
        connection = wire.connect(path)
    except OSError as error:
        return _say(f"paas does not answer ({error.strerror}). On the host: paas start", 75)
    open_missing_streams()
    with connection, kept_terminal() as tty:
        # A request that the daemon refuses may be answered, and closed, before it is all sent.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            wire.send(connection, request | _surroundings(tty=tty), (0, 1, 2))
        _forward_signals(connection)
        status, say = wire.wait_for_exit(connection)
    return _say(say, status) if say else status


def open_missing_streams() -> None:
    """Give a command that was started with `<&-` or `>&-` something to read from and write to."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)


def _surroundings(*, tty: bool) -> wire.Message:
    rows, columns = _size() if tty else (24, 80)
    environ = [[name, os.environ[name]] for name in ALLOWED if name in os.environ]
    term = os.environ.get("TERM", "")[:64]
    return {"tty": tty, "term": term, "rows": rows, "columns": columns, "environ": environ}


def _size() -> tuple[int, int]:
    columns, rows = os.get_terminal_size(0)
    return rows or 24, columns or 80  # a serial line says 0 x 0


def _forward_signals(connection: socket.socket) -> None:
    sent = set()

    def forward(signum: int, _frame: object) -> None:
        if signum in sent:  # the command did not end at the first: leave it behind
            sys.exit(128 + signum)
        name = signal.Signals(signum).name.removeprefix("SIG")
        message: wire.Message = {"size": _size()} if name == "WINCH" else {"signal": name}
        if name != "WINCH":
            sent.add(signum)
        with contextlib.suppress(OSError):
            wire.send(connection, message)

    for name in ("WINCH", *wire.SIGNALS):
        signal.signal(getattr(signal, f"SIG{name}"), forward)


@contextlib.contextmanager
def kept_terminal() -> Iterator[bool]:
    """Yield whether stdin is a terminal; put its modes back: a child killed with -9 cannot."""
    if not os.isatty(0):
        yield False
        return
    import termios  # noqa: PLC0415 - only for terminals

    modes = termios.tcgetattr(0)
    try:
        yield True
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, modes)


def _say(text: str, status: int) -> int:
    sys.stderr.write(f" !     {text}\n")
    return status
