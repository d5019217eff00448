"""The background loop: due tasks run, a failing one stops nobody, it ends with its supervisor."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from paas.background import Task, run_tasks
from paas.errors import EngineUnavailable
from paas.platform import Platform
from paas.settings import Settings

LONG = 3600.0


@dataclass
class Small:
    settings: Settings


@dataclass
class Loop:
    """One run of the loop in this process; `end` is the supervisor's death."""

    platform: Small
    ran: list[str] = field(default_factory=list)
    ends: tuple[int, int] = field(default_factory=os.pipe)

    def run(self, *tasks: Task) -> list[str]:
        run_tasks(cast("Platform", self.platform), tasks, self.ends[0])
        return self.ran

    def end(self) -> None:
        os.close(self.ends[1])

    def task(self, name: str, then: Callable[[], None] = lambda: None) -> Task:
        def run(_: Platform) -> None:
            self.ran.append(name)
            then()

        return Task(name, LONG, run)


@pytest.fixture(name="loop")
def make_loop(tmp_path: Path) -> Loop:
    return Loop(Small(Settings(root=tmp_path)))


def test_every_task_runs_once_at_the_start(loop: Loop) -> None:
    assert loop.run(loop.task("a"), loop.task("b", loop.end)) == ["a", "b"]


def test_a_task_that_fails_is_logged_and_stops_nobody(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise ValueError("the cause")

    assert loop.run(loop.task("a", fail), loop.task("b", loop.end)) == ["a", "b"]
    assert "background task a failed" in caplog.text
    assert "the cause" in caplog.text


def test_a_task_comes_again_at_its_interval(loop: Loop) -> None:
    def count(_: Platform) -> None:
        loop.ran.append("a")
        if len(loop.ran) == 3:
            loop.end()

    assert loop.run(Task("a", 0.01, count)) == ["a", "a", "a"]


def test_a_part_of_the_host_that_does_not_answer_is_one_line_in_the_log(
    loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise EngineUnavailable("Docker does not answer", hint="start it")

    loop.run(loop.task("a", fail), loop.task("b", loop.end))
    assert [record.getMessage() for record in caplog.records] == [
        "a: Docker does not answer (start it)"
    ]


def test_sigterm_ends_the_loop_in_the_middle_of_a_task(loop: Loop) -> None:
    def wait_for_ever() -> None:
        signal.raise_signal(signal.SIGTERM)
        threading.Event().wait()

    assert loop.run(loop.task("a", wait_for_ever), loop.task("b")) == ["a"]
