"""Jobs in forked children: bounded, limited, one of a name at a time."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paas.crew import Crew, Job, do_nothing, run_here
from paas.errors import EngineUnavailable

PATIENCE = 20.0


@pytest.fixture
def crew() -> Iterator[Crew]:
    made = Crew({"narrow": 1, "wide": 3})
    yield made
    made.stop()


def until(crew: Crew, true: Callable[[], bool]) -> None:
    """Look as the background does, until it is true."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, crew.busy()
        time.sleep(0.01)
        crew.look()


def job(
    name: str,
    run: Callable[[], int | None],
    lane: str = "narrow",
    then: Callable[[int], None] = do_nothing,
    **more: bool,
) -> Job:
    return Job(name, lane, PATIENCE, run, then, **more)


def writing(path: Path) -> Callable[[], None]:
    def write() -> None:
        path.write_text(str(os.getpid()))

    return write


def waiting_for(path: Path) -> Callable[[], None]:
    def wait() -> None:
        while not path.exists():
            time.sleep(0.01)

    return wait


def test_a_job_runs_in_another_process_and_its_status_comes_back(
    crew: Crew, tmp_path: Path
) -> None:
    statuses: list[int] = []
    crew.submit(job("a", writing(tmp_path / "a"), then=statuses.append))
    crew.submit(job("b", lambda: 3, then=statuses.append))
    until(crew, lambda: len(statuses) == 2)
    assert statuses == [0, 3]
    assert (tmp_path / "a").read_text() != str(os.getpid())


def test_a_lane_has_room_for_so_many_and_others_go_on(crew: Crew, tmp_path: Path) -> None:
    go = tmp_path / "go"
    done: list[int] = []
    crew.submit(job("slow", waiting_for(go)))
    crew.submit(job("behind", writing(tmp_path / "behind")))
    crew.submit(job("beside", lambda: None, "wide", done.append))
    until(crew, lambda: done == [0])
    assert crew.busy() == ("slow", "behind")
    assert not (tmp_path / "behind").exists()
    go.touch()
    until(crew, lambda: crew.busy() == ())
    assert (tmp_path / "behind").exists()


@pytest.mark.parametrize(("repeats", "times"), [(True, 2), (False, 1)])
def test_a_job_is_at_work_once_and_repeats_if_it_should(
    crew: Crew, tmp_path: Path, repeats: bool, times: int
) -> None:
    go = tmp_path / "go"
    statuses: list[int] = []
    for _ in range(4):
        crew.submit(job("a", waiting_for(go), "wide", statuses.append, repeats=repeats))
    assert crew.busy() == ("a",)
    go.touch()
    until(crew, lambda: crew.busy() == ())
    assert statuses == [0] * times


def test_a_job_over_its_limit_is_killed_with_what_it_started(crew: Crew) -> None:
    statuses: list[int] = []
    crew.submit(Job("a", "narrow", 0.1, lambda: time.sleep(60), statuses.append))
    until(crew, lambda: bool(statuses))
    assert statuses == [-9]


def test_a_job_that_fails_tells_a_status_and_the_log_the_cause(crew: Crew) -> None:
    statuses: list[int] = []

    def fail() -> None:
        raise EngineUnavailable("Docker does not answer", hint="start it")

    crew.submit(job("a", fail, then=statuses.append))
    until(crew, lambda: bool(statuses))
    assert statuses == [1]


def test_stop_ends_all_work(crew: Crew, tmp_path: Path) -> None:
    crew.submit(job("a", waiting_for(tmp_path / "never")))
    crew.submit(job("b", writing(tmp_path / "b")))
    crew.stop()
    assert crew.busy() == ()
    assert not (tmp_path / "b").exists()


def test_jobs_can_be_done_here() -> None:
    statuses: list[int] = []
    run_here([job("a", lambda: 2, then=statuses.append), job("b", lambda: None)])
    assert statuses == [2]
