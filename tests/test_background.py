"""The background loop: due tasks run, a failing one stops nobody, it ends with its supervisor."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from paas import background
from paas.background import Ears, Task, run_tasks
from paas.crew import Crew, Job
from paas.errors import EngineUnavailable, Outdated
from paas.model import ProcessState
from paas.platform import Platform
from paas.reconcile import Reconciler
from paas.settings import Settings
from tests.world import World, make_world

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


class Door:
    """A source of news: a pipe."""

    def __init__(self, ran: list[str]) -> None:
        self.ran = ran
        self.ours, self.theirs = os.pipe()

    def fileno(self) -> int:
        return self.ours

    def ready(self) -> None:
        os.read(self.ours, 1)
        self.ran.append("news")


def test_news_are_taken_between_tasks_without_waiting_for_them(loop: Loop) -> None:
    door = Door(loop.ran)
    closed = Door(loop.ran)
    closed.ours = -1
    os.write(door.theirs, b"x")

    def end(_: Platform) -> None:
        if "news" in loop.ran:
            loop.end()

    tasks = (Task("end", 0.01, end),)
    run_tasks(cast("Platform", loop.platform), tasks, loop.ends[0], (closed, door))
    assert loop.ran == ["news"]


def test_on_a_newer_database_nothing_is_done_and_that_is_said_once(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "OFTEN", 0.001)
    answers = [Outdated("The database is of a newer paas", hint="Restart")] * 3

    def check() -> None:
        assert loop.ran == []
        if answers:
            raise answers.pop()

    tasks = (loop.task("a", loop.end),)
    run_tasks(cast("Platform", loop.platform), tasks, loop.ends[0], (), check)
    assert loop.ran == ["a"]
    assert [r.message for r in caplog.records] == [
        "The background rests: The database is of a newer paas (Restart)"
    ]


def test_while_it_rests_the_end_of_the_daemon_is_its_end(loop: Loop) -> None:
    def check() -> None:
        loop.end()
        raise Outdated("newer")

    run_tasks(cast("Platform", loop.platform), (loop.task("a"),), loop.ends[0], (), check)
    assert loop.ran == []


@pytest.fixture
def live(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as world:
        world.push()
        yield world


def test_ears_hear_damage_and_open_again_with_a_whole_pass(live: World) -> None:
    ears = Ears(live.platform, Reconciler(live.platform))
    [row] = live.store.containers.of(live.app().id)
    ears.open()
    live.scheduler.stop_by_hand(row.id)
    ears.ready()
    assert live.scheduler.inspect(row.id).state is ProcessState.RUNNING
    ears.ready()  # of its own repair
    live.scheduler.cut_watches()
    live.scheduler.is_down = True
    for act in (ears.ready, ears.open):
        with pytest.raises(EngineUnavailable):
            act()
    ears.open()  # is told once
    assert ears.fileno() == -1
    live.scheduler.stop_by_hand(row.id)
    live.scheduler.is_down = False
    ears.open()
    assert live.scheduler.inspect(row.id).state is ProcessState.RUNNING


def test_what_was_pushed_and_given_up_is_looked_for_every_hour(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs, crew = list[Job](), Crew({})
    monkeypatch.setattr(crew, "submit", jobs.append)
    reconciler = Reconciler(live.platform)
    tasks = background._tasks(live.platform, reconciler, Ears(live.platform, reconciler), crew)
    (task,) = (task for task in tasks if task.name == "waste")
    task.run(live.platform)
    jobs[0].run()
    assert live.repos.waste_collected == 1
    assert task.interval == 3600
