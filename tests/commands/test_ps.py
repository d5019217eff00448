import json
import re
import time
from dataclasses import replace
from typing import Any

import pytest

from paas.model import App, End, EndKind
from tests.commands.conftest import Person
from tests.fakes.engine import Program
from tests.fakes.repos import APP_JSON


def report(paas: Person) -> dict[str, Any]:
    typed = paas("ps:report", "shop", "--format", "json")
    assert typed.status == 0, typed.err
    return dict(json.loads(typed.out))


def only_container(paas: Person) -> str:
    (container,) = paas.scheduler.running
    return container


def test_a_running_process_is_shown_with_its_release(paas: Person, shop: App) -> None:
    values = report(paas)
    assert (values["running"], values["processes"], values["release"]) == ("true", 1, "v1")
    (web,) = values["status"]
    assert (web["name"], web["status"], web["release"]) == ("web.1", "running", "v1")
    assert (web["restarts"], web["exit_code"], web["hints"]) == (0, None, [])
    said = paas("ps:report", "shop").out
    assert re.search(r"Status web\.1: +running, v1, up [0-9]+ s, 0 restarts\n", said)
    assert paas("ps:report", "shop", "--ps-running").out == "true\n"


def test_before_the_first_push_nothing_is_deployed(paas: Person) -> None:
    paas("apps:create", "shop")
    values = report(paas)
    assert (values["deployed"], values["running"], values["status"]) == (False, "false", [])


def test_a_dead_process_is_shown_with_its_last_exit(paas: Person, shop: App) -> None:
    container = only_container(paas)
    paas.scheduler.running[container].kept = False
    paas.scheduler.crash(container, 3)
    out = paas("ps:report", "shop").out
    assert "Running:               false" in out
    assert "exited, v1, 0 restarts, last exit 3" in out


def test_a_process_that_somebody_removed_is_missing(paas: Person, shop: App) -> None:
    paas.scheduler.remove_by_hand(only_container(paas))
    assert "Status web.1:          missing, v1" in paas("ps:report", "shop").out


def test_what_paas_itself_restarted_counts_too(paas: Person, shop: App) -> None:
    [row] = paas.store.containers.of(shop.id)
    now = time.time()
    for ago in (90, 60, 30):
        paas.store.recovery.note(row, End(EndKind.CRASH, now - ago, now - ago))
    assert re.search(r"running, v1, up [0-9]+ s, 3 restarts\n", paas("ps:report", "shop").out)
    paas.scheduler.running[row.id].kept = False
    paas.scheduler.crash(row.id, 3)
    paas.store.recovery.note(row, End(EndKind.CRASH, now, now))
    assert "exited, v1, 3 restarts, last exit 3" in paas("ps:report", "shop").out


def test_a_restarted_process_counts(paas: Person, shop: App) -> None:
    paas.scheduler.crash(only_container(paas))
    assert "1 restart" in paas("ps:report", "shop").out


def test_a_wall_that_was_met_is_shown_with_what_opens_it(paas: Person, shop: App) -> None:
    text = "OSError: [Errno 30] Read-only file system: '/app/data/x'"
    paas.scheduler.say(only_container(paas), text, is_stderr=True)
    typed = paas("ps:report", "shop")
    assert " !     web.1: " in typed.err
    assert "security:set shop tmpfs /app/data=16m" in typed.err
    assert "security:set shop" in str(report(paas)["status"])


def test_a_process_out_of_memory_is_told_the_way_out(paas: Person, shop: App) -> None:
    container = paas.scheduler.running[only_container(paas)]
    container.seen = replace(container.seen, oom_killed=True)
    assert "resource:limit --process-type web --memory 1024m shop" in paas("ps:report", "shop").err


def test_old_and_new_processes_are_both_shown(paas: Person, shop: App) -> None:
    assert paas("ps:restart", "shop").status == 0
    out = paas("ps:report", "shop").out
    assert "Processes:             1" in out
    assert out.index("Status web.1:          running") < out.index(
        "Status web.1:          draining"
    )


def test_restart_moves_to_new_processes_of_the_same_release(paas: Person, shop: App) -> None:
    (old,) = {route.address for route in paas.proxy.routes["shop"]}
    assert paas("ps:restart", "shop").status == 0
    (new,) = {route.address for route in paas.proxy.routes["shop"]}
    assert new != old
    assert paas.store.apps.get("shop").version == 1


def test_stop_and_start(paas: Person, shop: App) -> None:
    stopped = paas("ps:stop", "shop")
    assert (stopped.status, paas.proxy.routes["shop"]) == (0, ())
    assert "ps:start shop" in stopped.out
    assert report(paas)["desired"] == "stopped"
    assert paas("ps:start", "shop").status == 0
    assert paas.proxy.routes["shop"]
    started = len(paas.scheduler.started)
    assert paas("ps:start", "shop").status == 0
    assert len(paas.scheduler.started) == started


def test_rebuild_builds_the_same_commit_without_the_cache(paas: Person, shop: App) -> None:
    typed = paas("ps:rebuild", "shop")
    assert typed.status == 0, typed.err
    assert [build.no_cache for build in paas.builder.builds] == [False, True]
    assert paas.store.apps.get("shop").version == 2


def test_a_start_that_fails_leaves_what_runs(paas: Person, shop: App) -> None:
    before = paas.proxy.routes["shop"]
    paas.scheduler.programs["serve"] = Program(exit_code=1)
    assert paas("ps:restart", "shop").status == 1
    assert paas.proxy.routes["shop"] == before


@pytest.mark.parametrize("verb", ["report", "restart", "rebuild", "stop", "start"])
def test_a_missing_app_is_exit_20(paas: Person, shop: App, verb: str) -> None:
    typed = paas(f"ps:{verb}", "shoo")
    assert typed.status == 20
    assert "Did you mean shop?" in typed.err


@pytest.mark.parametrize("verb", ["restart", "rebuild", "start"])
def test_an_app_without_a_release_cannot_run(paas: Person, verb: str) -> None:
    paas("apps:create", "new")
    typed = paas(f"ps:{verb}", "new")
    assert typed.status != 0
    assert "Push to new first" in typed.err


def test_an_engine_that_is_down_is_exit_75(paas: Person, shop: App) -> None:
    paas.scheduler.is_down = True
    assert paas("ps:report", "shop").status == 75


def test_scale_shows_a_table_and_json(paas: Person, shop: App) -> None:
    paas.push("shop", "web: serve\nworker: work")
    table = "=====> Scaling for shop\nproctype: qty\n--------: ---\nweb: 1\nworker: 0\n"
    assert paas("ps:scale", "shop").out == table
    assert json.loads(paas("ps:scale", "shop", "--format", "json").out) == [
        {"process_type": "web", "quantity": 1},
        {"process_type": "worker", "quantity": 0},
    ]


def test_scale_starts_more_and_says_so(paas: Person, shop: App) -> None:
    typed = paas("ps:scale", "shop", "web=2")
    assert typed.status == 0, typed.err
    assert "Starting web.2" in typed.out
    assert "=====> shop v1 runs web=2" in typed.out
    assert report(paas)["processes"] == 2


def test_a_scale_to_less_starts_nothing_and_says_what_goes(paas: Person, shop: App) -> None:
    paas("ps:scale", "shop", "web=2")
    typed = paas("ps:scale", "shop", "web=1")
    assert "Stopping web.2 when their connections have ended" in typed.out
    assert "Starting" not in typed.out


def test_a_scale_that_skips_the_deploy_waits_for_the_next(paas: Person, shop: App) -> None:
    assert "Stored" in paas("ps:scale", "--skip-deploy", "shop", "web=2").out
    assert report(paas)["processes"] == 1
    paas("ps:restart", "shop")
    assert report(paas)["processes"] == 2


def test_a_type_that_the_procfile_lacks_is_named(paas: Person, shop: App) -> None:
    typed = paas("ps:scale", "shop", "wroker=1")
    assert typed.status == 0
    assert "Skipping wroker as it is missing from the current Procfile" in typed.err
    assert report(paas)["processes"] == 1


def test_before_the_first_push_a_scale_is_stored(paas: Person) -> None:
    paas("apps:create", "new")
    assert "Stored" in paas("ps:scale", "new", "web=2").out
    paas.push("new")
    assert len({route.address for route in paas.proxy.routes["new"]}) == 2


def test_a_formation_in_app_json_locks_the_scale(paas: Person, shop: App) -> None:
    assert report(paas)["can-scale"] is True
    paas.push("shop", "web: new" + APP_JSON + '{"formation": {"web": {"quantity": 2}}}')
    typed = paas("ps:scale", "shop", "web=1")
    assert typed.status == 1
    assert "app.json sets the formation of shop" in typed.err
    assert (report(paas)["can-scale"], report(paas)["processes"]) == (False, 2)


@pytest.mark.parametrize("word", ["web", "web=", "web=-1", "web=two", "web=30", "Web=1", "=1"])
def test_what_is_no_quantity_is_a_usage_error(paas: Person, shop: App, word: str) -> None:
    assert paas("ps:scale", "shop", word).status == 2
    assert report(paas)["processes"] == 1


def test_a_strategy_is_set_shown_and_cleared(paas: Person, shop: App) -> None:
    assert paas("ps:set", "shop", "strategy.web", "recreate").status == 0
    assert report(paas)["strategy"] == {"web": "recreate"}
    assert "Stopping web.1 first (recreate)" in paas("ps:restart", "shop").out
    assert paas("ps:set", "shop", "strategy.web").status == 0
    assert paas("ps:report", "shop", "--ps-strategy").out == "web:rolling\n"
    assert paas("ps:set", "shop", "speed", "1").status == 2


def test_one_process_is_restarted_alone(paas: Person, shop: App) -> None:
    paas("ps:scale", "shop", "web=2")
    before = {route.address for route in paas.proxy.routes["shop"]}
    assert paas("ps:restart", "shop", "web.2").status == 0
    after = {route.address for route in paas.proxy.routes["shop"]}
    assert (len(before - after), len(after)) == (1, 2)
    assert paas("ps:restart", "shop", "web.7").status == 20


def test_a_parked_process_is_shown_as_crashed_with_the_way_out(paas: Person, shop: App) -> None:
    [row] = paas.store.containers.of(shop.id)
    paas.scheduler.park(row.id, 1)
    paas.store.recovery.trouble(
        row, "crashed 10 times; try again: ps:restart shop", 0.0, is_parked=True
    )
    typed = paas("ps:report", "shop")
    assert "crashed, v1" in typed.out
    assert "web.1: crashed 10 times; try again: ps:restart shop" in typed.err
    assert paas("ps:start", "shop").status == 0
    assert "crashed" not in paas("ps:report", "shop").out
