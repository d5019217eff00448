"""Whatever was interrupted or damaged ends as the database says."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from paas import operate
from paas.model import ContainerRole, Deploy, DeployState
from paas.reconcile import Reconciler
from paas.repair import Told
from paas.schedulers.base import ProcessSpec
from tests.world import ANNA, World, make_world


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as world:
        assert world.push() == "ok"
        yield world


@pytest.fixture
def reconciler(live: World, clock: Clock) -> Reconciler:
    return Reconciler(live.platform, clock, clock)


def interrupted(live: World, state: DeployState) -> Deploy:
    """Leave a deploy as a killed process leaves it: a row, and a started container."""
    app = live.app()
    record = live.store.deploys.start(app.id, ANNA, "push", "c" * 40, "main")
    live.store.deploys.advance(record.id, state)
    row = live.store.containers.reserve(app, record.id, "web", 1, 5000)
    spec = ProcessSpec(
        app, record.id, "web", 1, live.current().image, "serve", {}, 5000, row.address
    )
    live.store.containers.started(row, live.scheduler.start(spec))
    live.repos.keep(app, record.id, "c" * 40)
    return record


def abandon(live: World, record: Deploy, state: str) -> None:
    """Write of a deploy that its process is gone, and how far it came."""
    with closing(sqlite3.connect(live.settings.database)) as database, database:
        database.execute(
            "UPDATE deploys SET state = ?, finished_at = NULL, pid_started = 0 WHERE id = ?",
            (state, record.id),
        )


@pytest.mark.parametrize("state", [DeployState.RECEIVED, DeployState.STARTING, DeployState.HEALTHY])
def test_a_deploy_that_died_before_the_commit_point_is_undone(
    live: World, reconciler: Reconciler, state: DeployState
) -> None:
    before = live.visible()
    record = interrupted(live, state)
    reconciler.run()
    assert live.visible() == before
    assert live.store.deploys.get(record.id).state is DeployState.FAILED


def test_a_deploy_that_died_after_the_commit_point_is_finished(
    live: World, reconciler: Reconciler
) -> None:
    live.push(procfile="web: new")
    done = live.store.deploys.list()[0]
    routes = live.proxy.routes["shop"]
    live.proxy.routes["shop"] = ()
    live.repos.branches.clear()
    with closing(sqlite3.connect(live.settings.database)) as database, database:
        database.execute(
            "UPDATE deploys SET state = 'switched', finished_at = NULL WHERE id = ?", (done.id,)
        )
    reconciler.run()
    assert live.proxy.routes["shop"] == routes
    assert live.repos.branches[live.app().id, "main"] == done.commit
    assert live.store.deploys.get(done.id).state is DeployState.DONE


def test_a_container_that_was_made_and_never_written_down_goes_with_its_deploy(
    live: World, reconciler: Reconciler
) -> None:
    before, app = live.visible(), live.app()
    record = live.store.deploys.start(app.id, ANNA, "push", "c" * 40, "main")
    row = live.store.containers.reserve(app, record.id, "web", 1, 5000)
    live.scheduler.start(
        ProcessSpec(app, record.id, "web", 1, live.current().image, "serve", {}, 5000, row.address)
    )
    reconciler.tend(app.id, Told())
    assert live.visible() == before


def test_the_next_push_ends_what_a_dead_process_left_before_it_begins(
    live: World, reconciler: Reconciler
) -> None:
    record = live.store.deploys.list()[0]
    abandon(live, record, "switched")
    assert live.push(procfile="web: newer") == "ok"
    tip = live.repos.branches[live.app().id, "main"]
    reconciler.run()
    assert live.store.deploys.get(record.id).state is DeployState.DONE
    assert live.repos.branches[live.app().id, "main"] == tip != record.commit


def test_a_deploy_whose_process_has_died_is_ended_before_the_next_pass(
    live: World, reconciler: Reconciler
) -> None:
    record = interrupted(live, DeployState.STARTING)
    reconciler.tend_abandoned()
    assert live.store.deploys.get(record.id).state is DeployState.STARTING  # we live
    abandon(live, record, "starting")
    reconciler.tend_abandoned()
    assert live.store.deploys.get(record.id).state is DeployState.FAILED


def test_an_end_that_did_not_succeed_is_tried_again_after_a_few_seconds(
    live: World, clock: Clock
) -> None:
    jobs: list[object] = []
    reconciler = Reconciler(live.platform, clock, clock, jobs.append)
    abandon(live, interrupted(live, DeployState.STARTING), "starting")
    for _ in range(7):  # nobody does the job
        reconciler.tend_abandoned()
        clock.now += 1
    assert len(jobs) == 2


def bury(world: World, name: str) -> None:
    """Let the process die that made the app for its first push."""
    with closing(sqlite3.connect(world.settings.database)) as database, database:
        database.execute(
            "UPDATE properties SET value = '1 0' WHERE key = 'first-push' AND app_id = ?",
            (world.app(name).id,),
        )


def test_an_app_whose_first_push_died_goes(live: World, reconciler: Reconciler) -> None:
    app = live.store.apps.create("unborn", for_push=True)
    reconciler.tend_abandoned()
    reconciler.tend(app.id, Told())
    assert live.store.apps.find("unborn")  # we live
    bury(live, "unborn")
    reconciler.tend_abandoned()
    assert live.store.apps.find("unborn") is None


def test_an_app_that_was_created_by_hand_stays(live: World, reconciler: Reconciler) -> None:
    live.store.apps.create("empty")
    live.store.apps.create("pushed", for_push=True)
    live.store.apps.settle(live.app("pushed").id)
    bury(live, "pushed")
    reconciler.tend_abandoned()
    assert live.store.apps.find("empty")
    assert live.store.apps.find("pushed")


def test_a_push_to_an_app_whose_first_push_died_has_it_from_then_on(live: World) -> None:
    live.store.apps.create("unborn", for_push=True)
    bury(live, "unborn")
    assert live.push("unborn", "").startswith("ng ")
    assert live.store.apps.find("unborn") is None
    live.store.apps.create("unborn", for_push=True)
    bury(live, "unborn")
    assert live.push("unborn") == "ok"
    assert not live.store.apps.unborn()


def test_a_deploy_at_work_is_left_alone(live: World, reconciler: Reconciler) -> None:
    record = interrupted(live, DeployState.BUILDING)
    with live.platform.locks.app(live.app().id, "anna", "push"):
        reconciler.run()
    assert live.store.deploys.get(record.id).state is DeployState.BUILDING
    assert len(live.scheduler.running) == 2


def test_a_container_removed_by_hand_comes_back_at_its_address(
    live: World, reconciler: Reconciler
) -> None:
    [before] = live.store.containers.of(live.app().id)
    live.scheduler.remove_by_hand(before.id)
    reconciler.run()
    [after] = live.store.containers.of(live.app().id)
    assert after.id != before.id
    assert after.address == before.address
    assert live.scheduler.running[after.id].kept


def test_a_process_that_keeps_dying_is_revived_less_and_less_often(
    live: World, reconciler: Reconciler, clock: Clock
) -> None:
    starts = len(live.scheduler.started)
    for _ in range(10):
        [row] = live.store.containers.of(live.app().id)
        live.scheduler.remove_by_hand(row.id)
        reconciler.run()
        clock.now += 1
    assert 3 <= len(live.scheduler.started) - starts <= 4  # after 0, 1, 3 and 7 seconds


def test_a_stopped_app_is_not_revived(live: World, reconciler: Reconciler) -> None:
    operate.stop(live.platform, live.app(), ANNA)
    reconciler.run()
    assert not live.scheduler.running


def test_a_container_that_nobody_wants_is_removed(live: World, reconciler: Reconciler) -> None:
    app = live.app()
    spec = ProcessSpec(app, 999, "web", 1, live.current().image, "serve", {}, 5000, "127.10.0.9")
    orphan = live.scheduler.start(spec)
    reconciler.run()
    assert orphan not in live.scheduler.running
    assert len(live.scheduler.running) == 1


def test_routes_changed_by_hand_are_put_back(live: World, reconciler: Reconciler) -> None:
    routes = dict(live.proxy.routes)
    live.proxy.routes.clear()
    live.proxy.sites.clear()
    reconciler.run()
    assert live.proxy.routes == routes
    assert "shop" in live.proxy.sites


def test_a_drained_container_is_removed_and_a_busy_one_waits_for_the_limit(
    live: World, reconciler: Reconciler, clock: Clock
) -> None:
    [old] = live.store.containers.of(live.app().id)
    live.push(procfile="web: new")
    live.scheduler.open_connections[old.id] = 1
    reconciler.retire()
    clock.now += 5
    reconciler.retire()
    assert old.id in live.scheduler.running
    clock.now += live.settings.drain_timeout
    reconciler.retire()
    assert old.id not in live.scheduler.running
    roles = [c.role for c in live.store.containers.of(live.app().id)]
    assert roles == [ContainerRole.CURRENT]


def test_a_container_without_connections_does_not_wait_for_the_limit(
    live: World, reconciler: Reconciler, clock: Clock
) -> None:
    [old] = live.store.containers.of(live.app().id)
    live.push(procfile="web: new")
    reconciler.retire()
    clock.now += 2
    reconciler.retire()
    assert old.id not in live.scheduler.running


def test_a_deploy_that_cannot_be_finished_keeps_nobody_else_from_repair(
    live: World, reconciler: Reconciler, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.push("other")
    record = live.store.deploys.list(live.app("other").id)[0]
    with closing(sqlite3.connect(live.settings.database)) as database, database:
        database.execute(
            "UPDATE deploys SET state = 'switched', finished_at = NULL WHERE id = ?", (record.id,)
        )

    def refuse(*_: object) -> None:
        raise IsADirectoryError

    monkeypatch.setattr(live.repos, "set_branch", refuse)
    [before] = live.store.containers.of(live.app().id)
    live.scheduler.remove_by_hand(before.id)
    reconciler.run()
    [after] = live.store.containers.of(live.app().id)
    assert after.id in live.scheduler.running
