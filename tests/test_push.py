"""Pushes that do not wait for their deploy: who is told what, and when."""

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from paas.git.base import PushOptions
from paas.model import DeployState
from tests.world import CRASHES, World, make_world

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        made.repos.options = PushOptions(no_wait=True)
        yield made


def log_of(world: World, deploy: int) -> str:
    return (world.settings.logs / "deploys" / f"{deploy}.log").read_text()


def test_the_client_is_let_go_before_anything_is_built(world: World) -> None:
    built: list[int] = []
    assert world.push(let_go=lambda: built.append(len(world.builder.builds))) == "ok"
    assert built == [0]
    assert world.app().version == 1
    assert "deploys:log shop 1 -t" in world.said


def test_a_failure_that_nobody_waited_for_is_kept_with_its_log_and_its_app(world: World) -> None:
    assert world.push(procfile=f"web: {CRASHES}") == "ok"
    [deploy] = world.store.deploys.list(world.app().id)
    assert deploy.state is DeployState.FAILED
    assert "SECRET" in log_of(world, deploy.id)
    assert world.repos.branches == {}


@contextmanager
def waiting(world: World, *procfiles: str) -> Iterator[list[BaseProcess]]:
    """Push these one after the other while another process holds the app's lock."""
    held, done = FORK.Event(), FORK.Event()

    def hold() -> None:
        with world.platform.locks.app(1, "ben", "ps:restart"):
            held.set()
            done.wait(60)

    holder = FORK.Process(target=hold)
    holder.start()
    assert held.wait(20)
    pushes = [start_push(world, procfile) for procfile in procfiles]
    yield pushes
    done.set()
    for process in (holder, *pushes):
        process.join(20)


def start_push(world: World, procfile: str) -> BaseProcess:
    """Push in a process of its own; return when its client was let go."""
    gone = FORK.Event()

    def work() -> None:
        world.push(procfile=procfile, let_go=gone.set)
        os._exit(0)

    process = FORK.Process(target=work)
    process.start()
    assert gone.wait(20)
    return process


def test_a_push_that_has_to_wait_lets_its_client_go_at_once(world: World) -> None:
    world.push()
    with waiting(world, "web: more"):
        assert len(world.store.deploys.list()) == 1
    assert world.app().version == 2


def test_a_push_that_lost_its_place_unattended_is_a_failed_deploy(world: World) -> None:
    world.push()
    with waiting(world, "web: more", "web: most") as [older, _]:
        older.join(20)
    by_state = {deploy.state: deploy for deploy in world.store.deploys.list()}
    assert world.app().version == 2
    lost = by_state[DeployState.FAILED]
    assert lost.commit
    assert "A newer push" in log_of(world, lost.id)
