import json

import pytest

from paas.model import App
from tests.commands.conftest import Person
from tests.fakes.engine import Program


@pytest.fixture
def job(paas: Person, shop: App) -> str:
    paas.scheduler.programs["tidy --all"] = Program(("tidied",), exit_code=0)
    assert paas("cron:add", "shop", "@daily", "tidy", "--all").status == 0
    [listed] = json.loads(paas("cron:list", "shop", "--format", "json").out)
    return str(listed["id"])


def test_a_job_is_listed_with_what_is_known_of_it(paas: Person, job: str) -> None:
    [listed] = json.loads(paas("cron:list", "shop", "--format", "json").out)
    assert (listed["command"], listed["schedule"]) == ("tidy --all", "@daily")
    assert (listed["from"], listed["last"], listed["suspended"]) == ("cron:add", None, False)
    assert listed["next"].endswith("T00:00:00Z")
    assert f"{job}  @daily  next" in paas("cron:list", "shop").out


def test_a_job_that_is_run_by_hand_shows_in_its_history_and_logs(paas: Person, job: str) -> None:
    assert paas("cron:run", "shop", job).status == 0
    name = paas("cron:run", "shop", job, "--detach").out.strip()
    paas("run:stop", "--container", name)
    names = [r["name"] for r in json.loads(paas("cron:history", "shop", "--format", "json").out)]
    assert name in names
    assert len(names) == 2
    assert paas("cron:logs", "shop", job, "-q").out == "tidied\n"


def test_a_job_is_suspended_and_followed_again(paas: Person, job: str) -> None:
    paas("cron:suspend", "shop", job)
    assert "suspended" in paas("cron:list", "shop").out
    paas("cron:resume", "shop", job)
    assert "suspended" not in paas("cron:list", "shop").out
    paas("cron:set", "shop", "maintenance", "true")
    paas("cron:set", "--global", "maintenance", "true")
    assert json.loads(paas("cron:report", "shop", "--format", "json").out) == {
        "maintenance": True,
        "global-maintenance": True,
        "failing": [],
        "task-count": 1,
    }


def test_a_job_that_was_added_is_removed_one_of_app_json_is_not(paas: Person, job: str) -> None:
    assert paas("cron:remove", "shop", job).status == 0
    assert json.loads(paas("cron:list", "shop", "--format", "json").out) == []
    assert paas("cron:remove", "shop", job).status == 20


def test_only_admins_suspend_all_apps(paas: Person, job: str) -> None:
    paas.user("bob", "deployer", "shop")
    assert paas.typing("bob", "cron:set", "--global", "maintenance", "true").status == 1
    assert paas.typing("bob", "cron:suspend", "shop", job).status == 0


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (("cron:add", "shop", "daily", "x"), 2),
        (("cron:add", "shop", "@daily"), 2),
        (("cron:add", "shop", "@daily", "tidy", "--all"), 1),
        (("cron:add", "--policy", "maybe", "shop", "@daily", "x"), 2),
        (("cron:add", "shop", "@daily", "x" * 5000), 2),
        (("cron:add", "nothing", "@daily", "x"), 20),
        (("cron:run", "shop", "nothing"), 20),
        (("cron:logs", "shop", "nothing"), 20),
        (("cron:suspend", "shop", "nothing"), 20),
        (("cron:set", "shop", "mailto", "a@b"), 2),
        (("cron:set", "shop", "maintenance", "maybe"), 2),
        (("cron:set", "shop", "maintenance", "true", "more"), 2),
    ],
)
def test_what_cannot_be_is_refused(
    paas: Person, job: str, argv: tuple[str, ...], status: int
) -> None:
    assert paas(*argv).status == status
