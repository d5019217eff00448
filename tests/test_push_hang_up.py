"""A pusher who hangs up, or whose key is taken away: before the pack has arrived, and after it."""

import io
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import BinaryIO

import pytest

from paas import push
from paas.doors.control import Control, Interrupted
from tests.world import ANNA, World, make_world

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@contextmanager
def arriving(world: World) -> Iterator[tuple[BaseProcess, BinaryIO]]:
    """Push in a process of its own, as the daemon's child; give it, and where the pack goes in."""
    reader, writer = os.pipe()

    def work() -> None:
        os.close(writer)
        control = Control()
        control.start()
        try:
            with os.fdopen(reader, "rb") as pack:
                client = push.Client(pack, io.BytesIO(), lambda: None, control.outlive_client)
                push.receive(world.platform, "shop", ANNA, client)
        except Interrupted as interrupted:
            os._exit(128 + interrupted.signum)
        os._exit(0)

    process = FORK.Process(target=work)
    process.start()
    os.close(reader)
    with os.fdopen(writer, "wb") as pack:
        yield process, pack
    process.join(20)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def hang_up(process: BaseProcess) -> None:
    os.kill(process.pid or 0, signal.SIGHUP)


def test_a_hang_up_ends_a_push_that_is_still_arriving_and_leaves_no_app(world: World) -> None:
    with arriving(world) as (process, pack):
        pack.write(b"web: ser")
        pack.flush()
        until(lambda: world.store.apps.find("shop"))
        hang_up(process)
        process.join(20)
        assert process.exitcode == 128 + signal.SIGHUP
    assert world.store.apps.list() == ()


def test_a_hang_up_after_the_pack_changes_nothing(world: World) -> None:
    waiting = world.settings.locks / "app-1.next"
    with arriving(world) as (process, pack), world.platform.locks.app(1, "ben", "ps:restart"):
        pack.write(b"web: serve")
        pack.close()
        until(waiting.exists)  # it waits for its turn
        hang_up(process)
    assert process.exitcode == 0
    assert world.app().version == 1
