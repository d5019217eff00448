"""ps:* of all apps, how long processes may take to stop, and checks:disable, skip, enable."""

import json

import pytest

from paas.model import App, Desired
from tests.commands.conftest import Person
from tests.fakes.engine import Program


def test_all_apps_are_restarted_and_those_that_fail_are_told(paas: Person, shop: App) -> None:
    paas.push("blog", "web: blog")
    paas("apps:create", "new")
    paas.scheduler.programs["blog"] = Program(exit_code=3)
    started = len(paas.scheduler.started)
    typed = paas("ps:restart", "--all")
    assert typed.status == 1
    assert "exited with code 3" in typed.err
    names = [spec.app.name for spec in paas.scheduler.started[started:]]
    assert names == ["blog", "shop"]


def test_several_apps_at_a_time_each_keep_their_output_together(paas: Person, shop: App) -> None:
    blog = paas.push("blog")
    typed = paas("proxy:disable", "--all", "--parallel", "2")
    assert typed.status == 0, typed.err
    stored = [paas.store.properties.get(app.id, "proxy") for app in (shop, blog)]
    assert stored == [{"disabled": "true"}] * 2
    for name in ("blog", "shop"):
        assert f"=====> {name}\n-----> Disabling proxy for {name}\n" in typed.out


def test_of_several_apps_at_a_time_the_one_that_fails_is_told(paas: Person, shop: App) -> None:
    paas.push("blog")
    with paas.platform.locks.app(shop.id, "ben", "push"):
        typed = paas("proxy:disable", "--all", "--parallel", "-1")
    assert typed.status == 1
    assert "push by ben" in typed.err
    assert "Disabling proxy for blog" in typed.out


@pytest.mark.parametrize("words", [(), ("--all", "shop"), ("--all", "--parallel", "0")])
def test_one_app_or_all_is_wanted(paas: Person, shop: App, words: tuple[str, ...]) -> None:
    for verb in ("start", "stop", "restart", "rebuild"):
        assert paas(f"ps:{verb}", *words).status == 2
        assert paas(f"ps:{verb}", "missing").status == 20


def test_all_are_rebuilt_and_started(paas: Person, shop: App) -> None:
    paas("apps:create", "new")
    assert paas("ps:rebuild", "--all", "--parallel", "1").status == 0
    assert paas.store.apps.get("shop").version == 2
    paas("ps:stop", "--all")
    assert paas("ps:start", "--all").status == 0
    assert paas.store.apps.get("shop").desired is Desired.RUNNING


def test_restore_brings_back_what_was_removed_by_hand(paas: Person, shop: App) -> None:
    [container] = paas.scheduler.running
    paas.scheduler.remove_by_hand(container)
    assert paas("ps:restore").status == 0
    assert len(paas.scheduler.running) == 1
    assert paas("ps:restore", "missing").status == 20


def test_a_process_gets_the_time_to_stop_that_was_set(paas: Person, shop: App) -> None:
    assert paas("ps:set", "shop", "stop-timeout-seconds", "60").status == 0
    assert paas("ps:report", "shop", "--ps-stop-timeout-seconds").out == "60\n"
    assert paas("ps:set", "shop", "stop-timeout", "90").status == 0
    assert paas("ps:report", "shop", "--ps-stop-timeout-seconds").out == "90\n"
    paas("ps:set", "shop", "stop-timeout-seconds")
    assert paas("ps:report", "shop", "--ps-stop-timeout-seconds").out == "30\n"


@pytest.mark.parametrize(
    ("key", "value"),
    [("restart-policy", "always"), ("stop-timeout", "0"), ("start-cmd", "x"), ("speed", "1")],
)
def test_what_has_no_effect_here_is_refused(paas: Person, shop: App, key: str, value: str) -> None:
    assert paas("ps:set", "shop", key, value).status == 2
    assert paas.store.properties.get(shop.id, "ps") == {}


def lists(paas: Person) -> tuple[str, str]:
    values = json.loads(paas("checks:report", "shop", "--format", "json").out)
    return values["disabled-list"], values["skipped-list"]


def test_skipped_processes_take_over_unasked(paas: Person, shop: App) -> None:
    paas.scheduler.programs["broken"] = Program(status=500)
    paas("checks:set", "shop", "startup-timeout", "1")
    assert paas("git-receive-pack", "shop", text_in="web: broken").status == 1
    assert paas("checks:skip", "shop", "web").status == 0
    assert paas.push("shop", "web: broken").version == 2
    assert lists(paas) == ("none", "web")
    paas("checks:enable", "shop", "web")
    assert lists(paas) == ("none", "none")
    assert paas("ps:rebuild", "shop").status == 1


def test_disabled_processes_stop_before_the_new_ones_start(paas: Person, shop: App) -> None:
    assert paas("checks:disable", "shop").status == 0
    assert lists(paas) == ("_all_", "none")
    typed = paas("ps:restart", "shop")
    assert "Stopping web.1 first" in typed.out
    assert paas("checks:skip", "shop").status == 0
    assert lists(paas) == ("none", "_all_")
    assert paas("checks:enable", "shop").status == 0
    assert paas("checks:disable", "shop", "Web").status == 2
