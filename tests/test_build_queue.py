"""The host's places for builds: who comes first, who waits, and what a dead one leaves."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from paas.build_queue import Build, queued
from tests.fakes.repos import Lines
from tests.world import make_world

FORK = multiprocessing.get_context("fork")


@contextmanager
def building(folder: Path, app: str) -> Iterator[BaseProcess]:
    """Have another process build; a second place is there for it."""
    begun = FORK.Event()

    def build() -> None:
        with queued(folder, 99, Build(app, "anna", 0.0), lambda _: None):
            begun.set()
            signal.pause()

    process = FORK.Process(target=build)
    process.start()
    assert begun.wait(20)
    yield process
    process.kill()
    process.join()


def test_who_waits_is_told_who_is_ahead_and_again_when_that_changes(tmp_path: Path) -> None:
    told: list[Sequence[Build]] = []
    with building(tmp_path, "shop") as shop, building(tmp_path, "blog") as blog:
        endings = iter([shop, blog])

        def note(ahead: Sequence[Build]) -> None:
            told.append(ahead)
            next(endings).kill()

        with queued(tmp_path, 1, Build("mine", "ben", 0.0), note):
            assert [[build.app for build in ahead] for ahead in told] == [
                ["shop", "blog"],
                ["blog"],
            ]


def test_the_first_that_came_builds_first(tmp_path: Path) -> None:
    order: list[str] = []
    waits = {name: threading.Event() for name in ("first", "second")}

    def build(name: str) -> None:
        with queued(tmp_path, 1, Build(name, "anna", 0.0), lambda _: waits[name].set()):
            order.append(name)

    threads = [threading.Thread(target=build, args=(name,)) for name in waits]
    with building(tmp_path, "shop"):
        for thread, name in zip(threads, waits, strict=True):
            thread.start()
            assert waits[name].wait(20)
    for thread in threads:
        thread.join(20)
    assert order == ["first", "second"]


def test_nothing_is_left_of_builds_that_ended_or_died(tmp_path: Path) -> None:
    with building(tmp_path, "shop") as shop:
        os.kill(shop.pid or 0, signal.SIGKILL)
        shop.join()
        with queued(tmp_path, 1, Build("mine", "ben", 0.0), lambda _: None):
            pass
    assert list(tmp_path.iterdir()) == []


class Impatient(Lines):
    """A pusher's ear that ends the build that is ahead when it hears of one."""

    def __init__(self, ahead: BaseProcess) -> None:
        super().__init__()
        self._ahead = ahead

    def write(self, text: str) -> None:
        super().write(text)
        if "ahead of you" in text:
            self._ahead.kill()


@pytest.mark.parametrize(("app", "named"), [("shop", "of shop (since "), ("secret", "of others\n")])
def test_a_pusher_reads_who_is_ahead_but_no_names_that_are_not_for_him(
    tmp_path: Path, app: str, named: str
) -> None:
    with make_world(tmp_path, max_builds=1) as world:
        world.push()
        with building(world.settings.locks / "builds", app) as ahead:
            world.repos.sideband = Impatient(ahead)
            assert world.push(procfile="web: two") == "ok"
    assert f"Waiting: 1 build is ahead of you, {named}" in world.said
