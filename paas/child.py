"""What a forked child of the daemon does: read one request, run it on its descriptors, and end."""

import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from paas.doors.control import Control, Interrupted
from paas.doors.request import Request, peer_uid, receive

MEMORY = 1024 * 1024 * 1024  # bytes of private memory: a memory bomb ends its own request only
CPU_SECONDS = 900  # of processor time; builds and apps run elsewhere
FILE_BYTES = 1024 * 1024 * 1024  # for remote requests: what they write are our files, not theirs
OOM_SCORE = 300  # the kernel takes a request before the supervisor (-200) or a neighbour
REFUSED = 1

log = logging.getLogger("paas")

Handle = Callable[[Request, int, Control], int]


def serve(connection: socket.socket, allowed: frozenset[int], handle: Handle) -> int:
    """Serve one connection from start to end; return the exit status.

    `allowed` are the uids that may hand over; `handle(request, uid, control)` runs the command.
    Everything else about the process is the child's own: session, limits, signals, streams.
    """
    prepare_process()
    uid = peer_uid(connection)
    if uid not in allowed:
        Control(connection).finish(REFUSED, "Only root may type commands here; users come over ssh")
        return REFUSED
    try:
        request, descriptors, pending = receive(connection)
    except (ValueError, OSError) as error:
        log.warning("refused a request of uid %d: %.200r", uid, str(error))
        Control(connection).finish(REFUSED, f"The request was refused: {error}")
        return REFUSED
    take_streams(request, descriptors)
    control = Control(connection, rows=request.rows, columns=request.columns)
    try:
        control.start(pending)
        status = handle(request, uid, control)
    except Interrupted as interrupted:
        status = 128 + interrupted.signum
    return finish(control, status)


def prepare_process() -> None:
    """Become a session of our own, with limits and with default signal dispositions."""
    os.setsid()
    name_process("paas-request")
    for name in ("SIGCHLD", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    set_oom_score(OOM_SCORE)
    # Not RLIMIT_AS: Go's runtime, behind the Dockerfile parser, reserves 800 MB that it never uses.
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    # Nobody catches SIGXCPU, so the soft limit ends us; paas.terminal lifts it.
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def name_process(name: str) -> None:
    """Say in `ps` and `top` which of our processes this is (proc(5), 15 characters)."""
    Path("/proc/self/comm").write_text(name)


def set_oom_score(score: int) -> None:
    """Tell the kernel what to kill first (proc(5)); some containers may not lower it."""
    try:
        Path("/proc/self/oom_score_adj").write_text(str(score))
    except OSError as error:
        log.info("oom_score_adj stays as it is: %s", error)


def take_streams(request: Request, descriptors: list[int]) -> None:
    """Make the client's descriptors our 0, 1 and 2, and Python's standard streams."""
    for target, descriptor in enumerate(descriptors):
        os.dup2(descriptor, target)
        os.close(descriptor)
    for name in request.environ:
        os.environ[name[0]] = name[1]
    if request.tty:
        os.environ["TERM"] = request.term or "dumb"
        take_terminal()
    if request.fingerprint:
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    text = {"encoding": "utf-8", "errors": "backslashreplace", "closefd": False}
    sys.stdin = open(0, **text)  # type: ignore[call-overload]  # noqa: SIM115 - descriptor 0, for the process's life
    sys.stdout = open(1, "w", buffering=1, **text)  # type: ignore[call-overload]  # noqa: SIM115 - as above
    sys.stderr = open(2, "w", buffering=1, **text)  # type: ignore[call-overload]  # noqa: SIM115 - as above


def take_terminal() -> None:
    """Make an ssh door's pty our controlling terminal, so that the kernel turns ^C into SIGINT.

    The local admin's terminal belongs to a shell's session and stays there (EPERM): then the door
    forwards its signals.
    """
    import fcntl  # noqa: PLC0415 - only for terminals
    import termios  # noqa: PLC0415 - as above

    try:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    except OSError:
        return


def finish(control: Control, status: int) -> int:
    """Flush the output, then report the status: the door shows all output before it exits."""
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 128 + signal.SIGPIPE
    control.finish(status)
    return status
