"""Commands in running containers: prepared, run with a caller's streams, and never left behind."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from docker.errors import APIError, NotFound

from paas.errors import StartFailed
from paas.schedulers import gate
from paas.schedulers.attached import GRACE, POLL, follow_size, opened
from paas.schedulers.base import Streams
from paas.schedulers.engine import HTTP_CONFLICT, Engine
from paas.settings import Settings
from paas.workers import Worker, interrupt, shielded, started_at

BEGINS = 2.0  # seconds within which an exec that was asked for begins


def run(  # noqa: PLR0913, PLR0917 - where, what, and what it is connected with
    engine: Engine,
    settings: Settings,
    container_id: str,
    argv: Sequence[str],
    streams: Streams,
    environ: Mapping[str, str],
) -> int:
    """Run a command to its end, or until we are interrupted; return its exit status."""
    waits = can_wait(engine, container_id, streams)
    command = gate.put_before_command(argv) if waits else argv
    exec_id = create_exec(engine, container_id, command, streams, environ)
    try:
        return run_exec(engine, settings, exec_id, streams, waits=waits)
    finally:
        end_exec(engine, container_id, exec_id)


def create_exec(
    engine: Engine,
    container_id: str,
    argv: Sequence[str],
    streams: Streams,
    environ: Mapping[str, str],
) -> str:
    """Prepare a command; return its id. It runs as the container's user: ours, never the image's.

    Raises StartFailed when the container does not run.
    """
    with engine.answering():
        try:
            made = engine.api.exec_create(
                container_id,
                list(argv),
                stdin=streams.stdin is not None,
                tty=streams.window is not None,
                environment=dict(environ),
                privileged=False,
            )
        except APIError as error:
            if not isinstance(error, NotFound) and error.status_code != HTTP_CONFLICT:
                raise
            raise StartFailed("The process is not running", hint="Run: ps:report APP") from error
    return str(made["Id"])


def can_wait(engine: Engine, container_id: str, streams: Streams) -> bool:
    """Whether a command there can wait for its terminal's size (see gate)."""
    if not gate.is_wanted(streams):
        return False
    with engine.answering(), suppress(NotFound):
        seen = engine.api.inspect_container(container_id)
        return bool(seen["State"]["Pid"]) and gate.has_shell(seen["State"]["Pid"])
    return False


def run_exec(
    engine: Engine, settings: Settings, exec_id: str, streams: Streams, *, waits: bool = False
) -> int:
    """Run what was prepared, to its end; return the exit status. `waits`: as in attach()."""
    body = {"Detach": False, "Tty": streams.window is not None}
    with opened(engine, settings, f"/exec/{exec_id}/start", body) as connection:
        follow_size(streams.window, lambda h, w: engine.api.exec_resize(exec_id, h, w))
        if waits:
            gate.open_up(connection, streams)
        connection.carry(streams)
    return wait_for_exec(engine, exec_id)


def wait_for_exec(engine: Engine, exec_id: str) -> int:
    """Return the exit status; the stream's end comes a moment before the engine knows it."""
    while True:
        with engine.answering():
            seen = engine.api.exec_inspect(exec_id)
        if not seen["Running"] and seen["ExitCode"] is not None:
            return int(seen["ExitCode"])
        time.sleep(POLL)


def end_exec(engine: Engine, container_id: str, exec_id: str) -> None:
    """End what an exec started if it still runs: the engine leaves it behind."""
    with shielded(), engine.answering():
        if pid := _pid_of(engine, exec_id):
            _end_session(pid, container_id)


def _pid_of(engine: Engine, exec_id: str) -> int:
    """Return the pid of what an exec runs, 0 when it has ended or does not begin.

    A start that was asked for happens although nobody waits for it, and what it starts is there
    a moment before the engine knows its pid.
    """
    deadline = time.monotonic() + BEGINS
    while True:
        try:
            seen = engine.api.exec_inspect(exec_id)
        except NotFound:  # its container is gone
            return 0
        if seen["Running"] and seen["Pid"]:
            return int(seen["Pid"])
        if seen["ExitCode"] is not None or time.monotonic() >= deadline:
            return 0
        time.sleep(POLL)


def _end_session(session: int, container_id: str) -> None:
    """Send HUP, then KILL to all of a session: runc makes what it execs the leader of one.

    A shell with a terminal gives each of its jobs a process group, all in its session.
    """
    for kind in (signal.SIGHUP, signal.SIGKILL):
        deadline = time.monotonic() + GRACE
        for pid, started in _members(session, container_id):
            interrupt(pid, started, kind)
        while _members(session, container_id) and time.monotonic() < deadline:
            time.sleep(POLL)


def _members(session: int, container_id: str) -> list[Worker]:
    """Return this container's processes in a session: its leader may be gone before others."""
    pids = (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())
    members = ((pid, started_at(pid)) for pid in pids if _session_of(pid) == session)
    return [(pid, at) for pid, at in members if at is not None and _is_in(pid, container_id)]


def _session_of(pid: int) -> int | None:
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return None


def _is_in(pid: int, container_id: str) -> bool:
    """Whether the process is one of this container, and not another that got its pid."""
    try:
        return container_id in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False
