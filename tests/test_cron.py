"""Jobs begin at their minute, once; what they do is kept; overlaps and failures as wanted."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from paas import cron, oneoff, operate
from paas.crew import Job
from paas.errors import StartFailed
from paas.manifest import CronTask, Overlap
from paas.model import SYSTEM, App
from paas.tasks import CronJob, Run, RunKind
from tests.fakes.engine import Program
from tests.world import World, make_world

NOON = 1_795_262_400.0  # a Saturday, 12:00 UTC
SLEEPS, WORKS, FAILS = "sleep 600", "work", "fail"


@dataclass
class Night:
    """A deployed app whose clock the test turns."""

    world: World
    app: App
    now: float = NOON
    jobs: list[Job] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = cron.Clock(self.world.platform, self.jobs.append, lambda: self.now)
        self.clock.run()

    def add(self, schedule: str, command: str, overlap: Overlap = Overlap.ALLOW) -> CronJob:
        job = CronJob(self.app.id, CronTask(schedule, command, overlap), is_added=True)
        self.world.store.cron.add(self.app.id, job)
        return job

    def wait(self, minutes: float) -> list[Job]:
        """Let time pass; return and do what became due."""
        self.now += minutes * 60
        self.clock.run()
        due = self.jobs.copy()
        self.jobs.clear()
        for job in due:
            job.run()
        return due

    def runs(self) -> tuple[Run, ...]:
        oneoff.collect(self.world.platform, 0)
        return self.world.store.runs.list(self.app.id)


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    with make_world(tmp_path) as world:
        world.scheduler.programs |= {
            SLEEPS: Program(status=None),
            WORKS: Program(("done",), exit_code=0),
            FAILS: Program(("oops",), exit_code=3),
        }
        world.push("shop")
        world.store.properties.set(None, "notify", "url", "https://example.org/")
        yield Night(world, world.store.apps.get("shop"))


def notices(night: Night) -> list[dict[str, object]]:
    found = [json.loads(n.body) for n in night.world.store.notices.due(1e12, 100)]
    return [notice for notice in found if notice["event"] == "cron_failed"]


def test_a_job_runs_at_its_minute_and_what_it_said_is_kept(night: Night) -> None:
    night.add("5 12 * * *", WORKS)
    assert night.wait(4) == []
    assert len(night.wait(1)) == 1
    [run] = night.runs()
    assert (run.kind, run.status, run.error, run.actor) == (RunKind.CRON, 0, "", SYSTEM.name)
    assert night.world.store.runs.output(run).endswith("Z done")
    assert not any(".cron." in c.name for c in night.world.scheduler.containers())


def test_the_same_minute_begins_once_even_after_a_restart_of_paas(night: Night) -> None:
    night.add("* * * * *", WORKS)
    assert len(night.wait(1)) == 1
    assert night.wait(0.5) == []
    again = Night(night.world, night.app, night.now)
    for job in again.jobs:  # it looks at this minute again
        job.run()
    assert len(again.jobs) == 1
    assert len(night.runs()) == 1


def test_minutes_that_a_busy_process_missed_are_made_up_for_once(night: Night) -> None:
    night.add("* * * * *", WORKS)
    assert len(night.wait(4)) == 1


def test_what_was_due_while_paas_was_down_is_left_out(night: Night) -> None:
    night.add("5 12 * * *", WORKS)
    assert night.wait(60) == []


def test_a_clock_that_is_set_back_begins_nothing_twice(night: Night) -> None:
    night.add("1 12 * * *", WORKS)
    night.wait(1)
    night.wait(-10)
    night.wait(10)
    assert len(night.runs()) == 1


@pytest.mark.parametrize(
    ("overlap", "running", "outcomes"),
    [
        (Overlap.ALLOW, 2, []),
        (Overlap.FORBID, 1, ["was skipped: cron.1 still runs"]),
        (Overlap.REPLACE, 1, ["cron.2 took its place"]),
    ],
)
def test_overlaps_are_as_the_policy_wants(
    night: Night, overlap: Overlap, running: int, outcomes: list[str]
) -> None:
    night.add("* * * * *", SLEEPS, overlap)
    night.wait(1)
    night.wait(1)
    runs = night.runs()
    assert sum(run.finished_at is None for run in runs) == running
    assert [run.error for run in runs if run.finished_at is not None] == outcomes


def test_a_job_that_fails_is_told_with_its_cause(night: Night) -> None:
    job = night.add("* * * * *", FAILS)
    night.wait(1)
    [run] = night.runs()
    assert run.has_failed
    [notice] = notices(night)
    assert (notice["job"], notice["status"], notice["run"]) == (job.id, 3, run.process)
    assert notice["reason"] == "exited with code 3"
    lines = night.world.store.journal.read(night.app.id, 10)
    assert any("failed: exited with code 3" in line.text for line in lines)


def test_a_job_that_cannot_be_started_is_told_too(night: Night) -> None:
    night.world.scheduler.programs[WORKS] = Program(refused="no space left")
    night.add("* * * * *", WORKS)
    with pytest.raises(StartFailed, match="no space left"):
        night.wait(1)
    assert [n["reason"] for n in notices(night)] == ["no space left"]


def test_too_many_at_once_are_skipped_and_said(night: Night) -> None:
    night.add("* * * * *", SLEEPS)
    for _ in range(11):
        night.wait(1)
    assert sum(run.finished_at is None for run in night.runs()) == 10
    assert "was skipped: 10 one-off containers" in night.runs()[0].error


@pytest.mark.parametrize("what", ["job", "app", "all"])
def test_what_is_suspended_does_not_run(night: Night, what: str) -> None:
    job = night.add("* * * * *", WORKS)
    if what == "job":
        cron.suspend(night.world.platform, job, is_on=True)
    else:
        app = night.app.id if what == "app" else None
        night.world.store.properties.set(app, cron.TOPIC, cron.MAINTENANCE, cron.ON)
    assert night.wait(1) == []
    cron.suspend(night.world.platform, job, is_on=False)
    assert len(night.wait(1)) == (what == "job")


def test_a_stopped_app_runs_no_jobs(night: Night) -> None:
    night.add("* * * * *", WORKS)
    operate.stop(night.world.platform, night.app, SYSTEM)
    assert night.wait(1) == []


def test_a_process_that_died_while_starting_a_job_leaves_nothing(night: Night) -> None:
    store = night.world.store
    job = night.add("* * * * *", SLEEPS)
    night.wait(1)
    [run] = store.runs.open()
    with store.runs._database.write():  # as if the id had not been stored yet
        store.runs._database.execute(
            "UPDATE runs SET engine_id = '', pid = 4194303, pid_started = 1"
        )
    oneoff.collect(night.world.platform, 0)
    assert [c.name for c in night.world.scheduler.containers() if ".cron." in c.name] == []
    assert store.runs.list(night.app.id, job.id)[0].error == "the process that held it has died"
    assert run.process in str(notices(night))


def test_a_job_that_takes_too_long_is_ended(night: Night) -> None:
    night.add("* * * * *", SLEEPS)
    night.wait(1)
    oneoff.collect(night.world.platform, 1e12)
    [run] = night.runs()
    assert run.error == "it did not end within 86400 s"
