"""Containers and commands that a person holds: attach, exec, and tools beside a process.

The settings are those of the hardened profile but for the few fields below; check_attached() takes
these back and lets the profile's own validator judge the rest.
"""

import copy
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from docker.errors import APIError, NotFound

from paas.errors import ImageMissing, StartFailed
from paas.schedulers.allowed import check_settings
from paas.schedulers.base import Beside, ProcessSpec, Streams, Window
from paas.schedulers.engine import HTTP_CONFLICT, TIMEOUT, Engine
from paas.schedulers.removal import remove_container
from paas.schedulers.streams import Hijacked, hijack, read_frames
from paas.settings import Settings
from paas.workers import shielded

CAPABILITIES = ("NET_RAW", "SYS_PTRACE")  # what an admin may give to tools
NOT_LOGGED: Mapping[str, Any] = {"Type": "none", "Config": {}}  # a person's typing, or 1 GB
ROOT = "0:0"
GRACE = 5  # seconds between HUP and KILL
POLL = 0.02
SIZE_RETRIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # seconds: the engine says too early that it runs
JOINED = ("NetworkMode", "PidMode")
NOT_JOINABLE = ("Hostname", "NetworkingConfig")  # the engine refuses them with another's network


def settings_for(
    plain: Mapping[str, Any], settings: Settings, streams: Streams, beside: Beside | None
) -> dict[str, Any]:
    """Return the checked settings of a container that somebody holds. Raises StartFailed."""
    config = attached_settings(plain, streams, beside)
    check_attached(config, plain, settings, beside)
    return config


def attached_settings(
    plain: Mapping[str, Any], streams: Streams, beside: Beside | None
) -> dict[str, Any]:
    """Return the settings of a container that somebody holds, from those of a process.

    With `beside` it joins another's namespaces. Its own init would not be process 1 there.
    """
    config = copy.deepcopy(dict(plain))
    has_input = streams.stdin is not None
    config |= {"Tty": streams.window is not None, "OpenStdin": has_input, "StdinOnce": has_input}
    config["HostConfig"]["LogConfig"] = dict(NOT_LOGGED)
    if beside:
        for name in NOT_JOINABLE:
            del config[name]
        config["HostConfig"] |= dict.fromkeys(JOINED, f"container:{beside.container_id}")
        config["HostConfig"] |= {"Sysctls": {}, "Init": False}
        if beside.capabilities:
            config["User"] = ROOT
            config["HostConfig"]["CapAdd"] = list(beside.capabilities)
    return config


def check_attached(
    config: Mapping[str, Any], plain: Mapping[str, Any], settings: Settings, beside: Beside | None
) -> None:
    """Raise StartFailed if the settings differ from `plain`, or it from the profile, too much."""
    check_settings(plain, settings)
    rest = copy.deepcopy(dict(config))
    host = rest["HostConfig"]
    asked = set(host.pop("CapAdd", ()))
    if not asked <= set(CAPABILITIES) or asked != set(beside.capabilities if beside else ()):
        raise StartFailed(
            "These capabilities cannot be given", hint=f"Possible are: {', '.join(CAPABILITIES)}"
        )
    if asked:
        rest["User"] = plain["User"]
    rest.pop("StdinOnce")
    rest |= {name: plain[name] for name in ("Tty", "OpenStdin")}
    host["LogConfig"] = plain["HostConfig"]["LogConfig"]
    if beside:
        if {host[name] for name in JOINED} != {f"container:{beside.container_id}"}:
            raise StartFailed("Tools join one process of the app only")
        rest |= {name: plain[name] for name in NOT_JOINABLE}
        host |= {name: plain["HostConfig"][name] for name in ("NetworkMode", "Sysctls", "Init")}
        del host["PidMode"]
    if rest != dict(plain):
        raise StartFailed("The settings are outside the hardened profile")


def follow_size(window: Window | None, resize: Callable[[int, int], object]) -> None:
    """Give the container's terminal the window's size, now and whenever it changes."""
    if window is None:
        return

    def change(rows: int, columns: int) -> bool:
        with suppress(APIError, OSError):  # it has ended, or has not quite begun
            resize(rows, columns)
            return True
        return False

    def follow(rows: int, columns: int) -> None:
        change(rows, columns)

    window.on_resize(follow)
    for pause in SIZE_RETRIES:
        if change(*window.size):
            return
        time.sleep(pause)


def end_container(engine: Engine, container_id: str) -> None:
    """HUP it if it still runs, kill it after a moment, remove it. No signal interrupts this."""
    with shielded(), engine.answering():
        try:
            engine.api.kill(container_id, signal="HUP")
            engine.api.wait(container_id, timeout=GRACE)
        except (APIError, OSError):  # it has ended, or does not want to
            pass
        remove_container(engine, container_id)


def attach(
    engine: Engine,
    settings: Settings,
    container_id: str,
    start: Callable[[], None],
    streams: Streams,
) -> int:
    """Attach, then start, so that no byte is lost; return the exit status."""
    query = "stream=1&stdin=1&stdout=1&stderr=1"
    with opened(engine, settings, f"/containers/{container_id}/attach?{query}") as connection:
        start()
        follow_size(streams.window, lambda h, w: engine.api.resize(container_id, h, w))
        connection.carry(streams)
    return wait_for_end(engine, container_id)


def listen(
    engine: Engine,
    settings: Settings,
    container_id: str,
    start: Callable[[], None],
    output: Callable[[bytes], None],
) -> int:
    """As attach(), without input: hand over what it writes; return the exit status."""
    path = f"/containers/{container_id}/attach?stream=1&stdout=1&stderr=1"
    with opened(engine, settings, path) as connection:
        start()
        for _, data in read_frames(connection.output):
            output(data)
    return wait_for_end(engine, container_id)


@contextmanager
def deadline(
    engine: Engine, container_id: str, spec: ProcessSpec, timeout: float
) -> Iterator[None]:
    """Kill the container when its time is over. Raises StartFailed then."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        with suppress(APIError):  # it ended at the last moment
            engine.api.kill(container_id)

    timer = threading.Timer(timeout, kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
    if late.is_set():
        raise StartFailed(
            f"The {spec.process_type} command did not end within {timeout:.0f} s",
            hint="Make it quicker, or run the long part after the deploy",
        )


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


def run_exec(engine: Engine, settings: Settings, exec_id: str, streams: Streams) -> int:
    """Run what was prepared, to its end; return the exit status."""
    body = {"Detach": False, "Tty": streams.window is not None}
    with opened(engine, settings, f"/exec/{exec_id}/start", body) as connection:
        follow_size(streams.window, lambda h, w: engine.api.exec_resize(exec_id, h, w))
        connection.carry(streams)
    return wait_for_exec(engine, exec_id)


def tools_image(engine: Engine, settings: Settings) -> str:
    """Return the id of the image with tools: the one that builds use. Raises ImageMissing."""
    with engine.answering():
        try:
            found = engine.api.inspect_image(settings.stack_build)  # type: ignore[no-untyped-call] # docker's stubs
        except NotFound:
            raise ImageMissing("The tools' image is missing", hint="Run: paas setup") from None
    return str(found["Id"])


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
        try:
            seen = engine.api.exec_inspect(exec_id)
        except NotFound:  # its container is gone
            return
        pid = int(seen.get("Pid") or 0)
        if seen["Running"] and pid and _is_in(pid, container_id):
            _end_group(pid, container_id)


def _end_group(pid: int, container_id: str) -> None:
    """Send HUP, then KILL to the process group: runc makes what it execs a session of its own."""
    deadline = time.monotonic() + GRACE
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGHUP)
        while time.monotonic() < deadline and _is_in(pid, container_id):
            time.sleep(POLL)
        if _is_in(pid, container_id):
            os.killpg(pid, signal.SIGKILL)


def _is_in(pid: int, container_id: str) -> bool:
    """Whether the process is one of this container, and not another that got its pid."""
    try:
        return container_id in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


def wait_for_end(engine: Engine, container_id: str) -> int:
    """Return a container's exit status, however long it takes after it closed its output."""
    while True:
        with engine.answering():
            if not engine.api.inspect_container(container_id)["State"]["Running"]:
                return int(engine.api.wait(container_id, timeout=TIMEOUT)["StatusCode"])
        time.sleep(POLL)


@contextmanager
def opened(
    engine: Engine, settings: Settings, path: str, body: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[Hijacked]:
    """Open a stream of the engine's. Raises EngineUnavailable."""
    with engine.answering():
        version = engine.api.api_version
        connection = hijack(settings.engine, version, path, dict(body), TIMEOUT)
    with closing(connection):
        yield connection
