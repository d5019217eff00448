import json

import pytest

from paas.model import App
from paas.schedulers.base import Resources
from tests.commands.conftest import Person

MB = 1024 * 1024


def taken(paas: Person, process_type: str = "web") -> Resources:
    """Return what the newest process of a type may take, after a restart."""
    assert paas("ps:restart", "shop").status == 0
    return next(
        s.resources for s in reversed(paas.scheduler.started) if s.process_type == process_type
    )


def test_limits_hold_from_the_next_start_and_can_be_cleared(paas: Person, shop: App) -> None:
    typed = paas("resource:limit", "--memory", "256", "--cpu", "0.5", "shop")
    assert typed.status == 0, typed.err
    assert "ps:restart shop" in typed.out
    assert taken(paas) == Resources(0.5, 256 * MB)
    paas("resource:limit", "--cpu", "clear", "shop")
    assert taken(paas) == Resources(1.0, 256 * MB)
    paas("resource:limit-clear", "shop")
    assert taken(paas) == Resources()


def test_a_process_type_has_its_own(paas: Person) -> None:
    paas.push("shop", "web: serve\nworker: work")
    paas("ps:scale", "shop", "worker=1")
    paas("resource:limit", "--memory", "256m", "shop")
    paas("resource:limit", "--process-type", "worker", "--memory", "128m", "shop")
    paas("resource:reserve", "--memory", "64m", "shop")
    assert taken(paas).memory == 256 * MB
    assert taken(paas, "worker") == Resources(1.0, 128 * MB, 64 * MB)
    shown = json.loads(paas("resource:report", "shop", "--format", "json").out)
    assert shown == {
        "_default_.limit.memory": "256m",
        "_default_.reserve.memory": "64m",
        "worker.limit.memory": "128m",
    }
    paas("resource:limit-clear", "--process-type", "worker", "shop")
    paas("resource:reserve-clear", "shop")
    assert taken(paas, "worker") == Resources(1.0, 256 * MB)
    assert json.loads(paas("resource:limit", "shop", "--format", "json").out)["memory"] == "256m"


def test_more_than_the_host_s_default_is_for_admins(paas: Person, shop: App) -> None:
    paas.user("ben", "owner", "shop")
    assert paas.typing("ben", "resource:limit", "--memory", "512m", "shop").status == 0
    assert paas.typing("ben", "resource:limit", "--memory", "1g", "shop").status == 1
    assert paas.typing("ben", "resource:limit", "--cpu", "1.5", "shop").status == 1
    assert paas("resource:limit", "--memory", "1g", "shop").status == 0
    assert taken(paas).memory == 1024 * MB


@pytest.mark.parametrize(
    "words",
    [
        ("--memory", "1"),
        ("--memory", "-1m"),
        ("--memory", "\u0661\u0662\u0668"),
        ("--memory", "9000g"),
        ("--cpu", "0"),
        ("--cpu", "1000"),
        ("--cpu", "1e1"),
        ("--memory-swap", "1g"),
        ("--process-type", "build", "--memory", "1g"),
        ("--process-type", "../x", "--memory", "128m"),
    ],
)
def test_what_cannot_be_had_is_refused(paas: Person, shop: App, words: tuple[str, ...]) -> None:
    typed = paas("resource:limit", *words, "shop")
    assert (typed.status, len(typed.err.splitlines())) == (2, 2)
    assert paas("resource:report", "shop", "--format", "json").out == "{}\n"
