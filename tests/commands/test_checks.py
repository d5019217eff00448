import json
from typing import Any

import pytest

from paas.model import App
from tests.commands.conftest import Person
from tests.fakes.engine import Program
from tests.fakes.repos import APP_JSON


def values(paas: Person) -> dict[str, Any]:
    typed = paas("checks:report", "shop", "--format", "json")
    assert typed.status == 0, typed.err
    return dict(json.loads(typed.out))


def test_without_anything_any_answer_counts(paas: Person, shop: App) -> None:
    assert values(paas)["startup"] == {"web": ["any answer below 500 on /"]}
    assert (values(paas)["path"], values(paas)["startup-timeout"]) == (None, "60")


def test_what_is_set_is_shown_and_holds_over_app_json(paas: Person, shop: App) -> None:
    said = {"healthchecks": {"web": [{"path": "/a", "content": "x"}, {"uptime": 1}]}}
    said["healthchecks"]["web"].append({"type": "liveness", "path": "/live"})
    assert paas("checks:set", "shop", "path", "/b").status == 0
    paas.push("shop", "web: new" + APP_JSON + json.dumps(said))
    assert values(paas)["startup"] == {"web": ["2xx or 3xx on /b", "up for 1 s"]}
    assert values(paas)["liveness"] == {"web": ["2xx or 3xx on /live"]}
    assert paas("checks:report", "shop", "--checks-path").out == "/b\n"
    paas("checks:set", "shop", "path")
    assert values(paas)["startup"]["web"][0] == "2xx or 3xx on /a with 'x'"


def test_a_check_run_by_hand_asks_what_runs(paas: Person, shop: App) -> None:
    typed = paas("checks:run", "shop")
    assert (typed.status, typed.out) == (0, "=====> shop checks\n       web.1: healthy\n")
    paas("checks:set", "shop", "content", "fine")
    paas("checks:set", "shop", "path", "/up")
    typed = paas("checks:run", "shop", "web.1", "--format", "json")
    assert typed.status == 1
    problem = "answered 200 on /up without 'fine'"
    assert json.loads(typed.out) == [{"process": "web.1", "problem": problem}]


def test_a_process_that_has_ended_is_told(paas: Person, shop: App) -> None:
    paas.scheduler.programs["work"] = Program(status=None)
    paas.push("shop", "web: serve\nworker: work")
    paas("ps:scale", "shop", "worker=1")
    assert paas("checks:run", "shop", "worker").status == 0
    [worker] = [i for i, c in paas.scheduler.running.items() if c.spec.process_type == "worker"]
    paas.scheduler.running[worker].kept = False
    paas.scheduler.crash(worker, 3)
    typed = paas("checks:run", "shop", "worker")
    assert typed.status == 1
    assert "worker.1 exited with code 3" in typed.out


@pytest.mark.parametrize("process", ["web.2", "wbe", "release"])
def test_a_process_that_is_not_there_is_refused(paas: Person, shop: App, process: str) -> None:
    typed = paas("checks:run", "shop", process)
    assert typed.status == 1
    assert "There are: web.1" in typed.err


def test_before_the_first_push_there_is_nothing_to_ask(paas: Person) -> None:
    paas("apps:create", "new")
    assert paas("checks:run", "new").status == 1
    assert paas("checks:report", "new").status == 0


@pytest.mark.parametrize(("key", "value"), [("path", "up"), ("timeout", "0"), ("speed", "1")])
def test_what_cannot_be_set_is_a_usage_error(paas: Person, shop: App, key: str, value: str) -> None:
    assert paas("checks:set", "shop", key, value).status == 2
