"""A night's cron: jobs from app.json and by hand, one of which fails; paas restarts meanwhile."""

import json
import re

import pytest

from tests.journeys.instance import Instance
from tests.journeys.programs import Git
from tests.journeys.test_first_push import write_version
from tests.journeys.test_hard_times import until

JOBS = [
    {"command": "tidy", "schedule": "* * * * *", "concurrency_policy": "forbid"},
    {"command": "echo half; exit 3", "schedule": "* * * * *"},
    {"command": "echo never", "schedule": "0 0 29 2 *"},
]
PERIOD = 60.0  # seconds between the minutes of the jobs


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    write_version(git, "one")
    git.write("Procfile", "web: python3 app.py\ntidy: echo tidied by $DYNO; sleep 2\n")
    git.write("app.json", json.dumps({"cron": JOBS, "formation": {"tidy": {"quantity": 0}}}))
    git.commit("with jobs")
    git.push()
    return git


def ids(shop: Git) -> dict[str, str]:
    listed = json.loads(shop.ssh.run("cron:list", "shop", "--format", "json").stdout)
    return {job["command"]: job["id"] for job in listed}


def history(shop: Git, job: str) -> list[dict[str, object]]:
    said = shop.ssh.run("cron:history", "shop", job, "--format", "json").stdout
    return [run for run in json.loads(said) if run["finished_at"]]


def ended(shop: Git, job: str, status: int) -> list[dict[str, object]]:
    return [run for run in history(shop, job) if run["status"] == status]


def log(shop: Git, job: str) -> str:
    """Return what the job's last run has said so far: the next minute's may have begun."""
    return shop.ssh.run("cron:logs", "shop", job, "-q").stdout


def test_a_schedule_that_is_none_fails_the_push_and_nothing_changes(
    paas: Instance, shop: Git
) -> None:
    before = shop.git("rev-parse", "HEAD").stdout.strip()
    shop.write("app.json", json.dumps({"cron": [{"command": "x", "schedule": "every day"}]}))
    shop.commit("a mistake")
    done = shop.push(check=False)
    assert done.returncode != 0
    assert "cron[0]: 'every day' is not a schedule" in done.stderr
    assert len(ids(shop)) == 3
    shop.git("reset", "-q", "--hard", before)


def test_at_their_minute_jobs_run_and_what_came_of_them_is_kept(paas: Instance, shop: Git) -> None:
    tidy, half = ids(shop)["tidy"], ids(shop)["echo half; exit 3"]
    paas.paas("stop")
    paas.paas("start")  # a job that was just being begun may have failed by that; the next has not
    until(
        lambda: bool(ended(shop, tidy, 0)) and bool(ended(shop, half, 3)),
        "both have run",
        2 * PERIOD,
    )
    [well, badly] = ended(shop, tidy, 0)[-1], ended(shop, half, 3)[-1]
    assert (well["error"], well["actor"]) == (None, "paas")
    assert badly["state"] == "failed"
    until(lambda: bool(re.fullmatch(r"tidied by cron\.\d+\n", log(shop, tidy))), "tidy has said so")
    until(lambda: log(shop, half) == "half\n", "half has said so")
    assert "failed: exited with code 3" in shop.ssh.run("logs", "shop").stdout
    assert half in shop.ssh.run("cron:report", "shop", "--cron-failing").stdout


def test_a_job_can_be_run_and_suspended_by_hand(paas: Instance, shop: Git) -> None:
    never = ids(shop)["echo never"]
    done = shop.ssh.run("cron:run", "shop", never)
    assert (done.returncode, done.stdout) == (0, "never\n")
    for job in ids(shop).values():
        shop.ssh.run("cron:suspend", "shop", job)
    assert shop.ssh.run("cron:list", "shop").stdout.count("suspended") == 3
    until(lambda: not [n for n in paas.containers() if ".cron." in n], "none is left")
