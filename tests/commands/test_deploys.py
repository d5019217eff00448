import fcntl
import json
import os
import threading
import time

import pytest

from paas.model import LOCAL_ADMIN, App, Deploy, DeployState
from tests.commands.conftest import Person
from tests.fakes.engine import Program


def unfinished(paas: Person, shop: App) -> Deploy:
    """A deploy that this very process works on."""
    record = paas.store.deploys.start(shop.id, LOCAL_ADMIN, "push", None, None)
    paas.store.deploys.advance(record.id, DeployState.BUILDING)
    log = paas.settings.logs / "deploys" / f"{record.id}.log"
    log.write_text("-----> Building\n")
    return record


def test_the_list_shows_states_versions_and_durations(paas: Person, shop: App) -> None:
    paas.scheduler.programs["broken"] = Program(exit_code=1)
    paas("git-receive-pack", "shop", text_in="web: broken")
    first, second = json.loads(paas("deploys:list", "shop", "--format", "json").out)
    assert (first["state"], first["version"]) == ("failed", None)
    assert (second["state"], second["version"], second["reason"]) == ("done", "v1", "push")
    assert 0 <= second["seconds"] < 60
    assert "done v1" in paas("deploys:list", "shop").out


def test_info_shows_each_step_with_its_duration(paas: Person, shop: App) -> None:
    values = json.loads(paas("deploys:info", "shop", "--format", "json").out)
    steps = [step["state"] for step in values["steps"]]
    assert " ".join(steps) == "received building built releasing starting healthy switched"
    total = sum(step["seconds"] for step in values["steps"])
    assert total == pytest.approx(values["seconds"], abs=0.1)
    shown = paas("deploys:info", "shop", "1").out
    assert "Step building:" in shown
    assert "Started at:" in shown


def test_the_log_is_replayed_whole(paas: Person, shop: App) -> None:
    out = paas("deploys:log", "shop").out
    assert out == (paas.settings.logs / "deploys" / "1.log").read_text()
    assert paas("deploys:log", "shop", "--follow").out == out


def test_a_log_is_followed_until_the_deploy_is_over(paas: Person, shop: App) -> None:
    record = unfinished(paas, shop)
    log = paas.settings.logs / "deploys" / f"{record.id}.log"
    seen = threading.Event()

    def go_on() -> None:
        seen.wait(10)
        with log.open("a") as file:
            file.write("=====> Deployed\n")
        database = type(paas.store)(paas.settings)
        database.deploys.advance(record.id, DeployState.DONE)
        database.close()

    writer = threading.Thread(target=go_on)
    writer.start()
    threading.Timer(0.3, seen.set).start()
    started = time.monotonic()
    assert paas("deploys:log", "shop", "-t").out == "-----> Building\n=====> Deployed\n"
    assert time.monotonic() - started >= 0.3
    writer.join()


def test_a_log_is_followed_until_its_last_words_which_come_after_the_end(
    paas: Person, shop: App
) -> None:
    record = unfinished(paas, shop)
    paas.store.deploys.fail(record.id, DeployState.FAILED, "it broke")
    with (paas.settings.logs / "deploys" / f"{record.id}.log").open("a") as log:
        fcntl.flock(log, fcntl.LOCK_EX)

        def go_on() -> None:
            log.write(" !     It broke\n")
            log.close()  # which lets go of the lock

        writer = threading.Timer(0.5, go_on)
        writer.start()
        assert paas("deploys:log", "shop", "-t").out == "-----> Building\n !     It broke\n"
        writer.join()


def test_following_a_deploy_whose_process_has_died_ends(paas: Person, shop: App) -> None:
    record = unfinished(paas, shop)
    with paas.store._database.write():
        paas.store._database.execute("UPDATE deploys SET pid_started = 1 WHERE id = ?", record.id)
    assert paas("deploys:log", "shop", "--follow").out == "-----> Building\n"


def test_nothing_at_work_cannot_be_cancelled(paas: Person, shop: App) -> None:
    typed = paas("deploys:cancel", "shop")
    assert typed.status == 1
    assert "shop has no deploy at work" in typed.err
    typed = paas("deploys:cancel", "shop", "1")
    assert typed.status == 1
    assert "releases:rollback shop" in typed.err


def test_a_deploy_of_a_dead_process_is_cancelled(paas: Person, shop: App) -> None:
    record = unfinished(paas, shop)
    with paas.store._database.write():
        paas.store._database.execute(
            "UPDATE deploys SET pid = ?, pid_started = 1 WHERE id = ?", os.getpid(), record.id
        )
    typed = paas("deploys:cancel", "shop")
    assert typed.status == 0, typed.err
    assert "It is cancelled; nothing was changed" in typed.out
    values = json.loads(paas("deploys:info", "shop", "--format", "json").out)
    assert (values["state"], values["cancelled_by"]) == ("cancelled", "root")


def test_a_deploy_of_another_app_is_not_found(paas: Person, shop: App) -> None:
    paas.push("blog")
    for verb in ("info", "log", "cancel"):
        assert paas(f"deploys:{verb}", "blog", "1").status == 20
        assert paas(f"deploys:{verb}", "blog", "one").status == 2
