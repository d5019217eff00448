"""Containers that somebody holds from their start to their end, and streams of the engine's."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from types import MappingProxyType
from typing import Any

from docker.errors import APIError

from paas.errors import StartFailed
from paas.model import ProcessState
from paas.schedulers import gate
from paas.schedulers.base import KILLED, Exit, ProcessSpec, Streams, Window
from paas.schedulers.engine import TIMEOUT, Engine
from paas.schedulers.observe import observe
from paas.schedulers.removal import remove_container
from paas.schedulers.streams import Hijacked, hijack, read_frames
from paas.settings import Settings
from paas.workers import shielded

GRACE = 5  # seconds between HUP and KILL
POLL = 0.02
HEARS = 0.5  # seconds within which the engine hears why something was killed
SIZE_RETRIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)  # seconds: the engine says too early that it runs


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


def attach(  # noqa: PLR0913 - whom, how, and what it is connected with
    engine: Engine,
    settings: Settings,
    container_id: str,
    start: Callable[[], None],
    streams: Streams,
    *,
    waits: bool = False,
) -> Exit:
    """Attach, then start, so that no byte is lost; return how it ended.

    `waits` says that it waits for its terminal's size (see gate).
    """
    query = "stream=1&stdin=1&stdout=1&stderr=1"
    with opened(engine, settings, f"/containers/{container_id}/attach?{query}") as connection:
        start()
        follow_size(streams.window, lambda h, w: engine.api.resize(container_id, h, w))
        if waits:
            gate.open_up(connection, streams)
        connection.carry(streams)
    return wait_for_end(engine, container_id)


def listen(
    engine: Engine,
    settings: Settings,
    container_id: str,
    start: Callable[[], None],
    output: Callable[[bytes], None],
) -> Exit:
    """As attach(), without input: hand over what it writes; return how it ended."""
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


def wait_for_end(engine: Engine, container_id: str) -> Exit:
    """Return how a container ended, however long it takes after it closed its output."""
    while True:
        with engine.answering():
            seen = observe(engine.api, container_id)
        if seen.state is ProcessState.MISSING:  # removed by somebody, who ended it first
            return Exit(KILLED)
        if seen.exit_code is not None:
            return how_it_ended(engine, container_id, seen.exit_code)
        time.sleep(POLL)


def how_it_ended(engine: Engine, container_id: str, status: int) -> Exit:
    """Return it of a command with this exit status, the only one in its container.

    What KILL ended is looked at for a moment: the engine may hear of the end before the cause
    (containerd sends both as events of their own).
    """
    deadline = time.monotonic() + (HEARS if status == KILLED else 0)
    while status:
        with engine.answering():
            seen = observe(engine.api, container_id)
        if seen.oom_killed:
            return Exit(status, seen.memory)
        if time.monotonic() >= deadline:
            break
        time.sleep(POLL)
    return Exit(status)


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
