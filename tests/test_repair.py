"""Processes that crashed, or were damaged by hand, come back; those that cannot are parked."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from paas import operate
from paas.model import Container, Release
from paas.reconcile import Reconciler
from paas.repair import pause_after
from tests.test_reconcile import Clock
from tests.world import ANNA, World, make_world


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


def web(live: World, app: str = "shop") -> Container:
    [row] = live.store.containers.of(live.app(app).id, None)
    return row


def journal(live: World) -> list[str]:
    return [line.text for line in live.store.journal.read(live.app().id, 100)]


def damages(live: World) -> dict[str, Callable[[str], None]]:
    hand = live.scheduler
    return {
        "stopped": hand.stop_by_hand,
        "paused": hand.pause_by_hand,
        "renamed": lambda container: hand.rename_by_hand(container, "mine"),
    }


@pytest.mark.parametrize("damage", ["stopped", "paused", "renamed"])
def test_what_was_damaged_by_hand_is_mended_at_once_in_its_place(
    live: World, reconciler: Reconciler, damage: str
) -> None:
    before, seen = web(live), live.scheduler.inspect(web(live).id)
    for _ in range(3):
        damages(live)[damage](before.id)
        reconciler.run()
        after = live.scheduler.inspect(before.id)
        assert (after.state, after.name) == (seen.state, seen.name)
    assert web(live) == before
    assert journal(live) == [f"web.1 was {damage} by hand; it runs again"] * 3


def test_a_process_whose_name_was_taken_gets_a_new_container(
    live: World, reconciler: Reconciler
) -> None:
    first, name = web(live), live.scheduler.inspect(web(live).id).name
    live.scheduler.rename_by_hand(first.id, "mine")
    spec = live.scheduler.running[first.id].spec
    live.scheduler.start(replace(spec, address="127.1.0.9"))
    reconciler.run()
    assert [c.name for c in live.scheduler.containers()] == [name]
    assert web(live).id in live.scheduler.running


def crash(live: World, reconciler: Reconciler, code: int = 1) -> None:
    with closing(live.scheduler.watch()) as watch:
        live.scheduler.crash(web(live).id, code)
        reconciler.hear(watch.read())
        live.scheduler.watches.remove(watch)


def test_after_the_first_crash_the_engine_restarts_and_later_paas_does(
    live: World, reconciler: Reconciler, clock: Clock
) -> None:
    crash(live, reconciler)
    assert live.scheduler.running[web(live).id].seen.restarts == 1
    assert not live.scheduler.running[web(live).id].kept
    crash(live, reconciler)
    assert live.scheduler.inspect(web(live).id).exit_code == 1
    clock.now += 1.9
    reconciler.tend_due()
    assert live.scheduler.inspect(web(live).id).exit_code == 1
    clock.now += 0.2
    reconciler.tend_due()
    assert live.scheduler.inspect(web(live).id).exit_code is None


def test_a_clock_that_was_set_back_keeps_no_process_down(
    live: World, reconciler: Reconciler, clock: Clock
) -> None:
    clock.now += 7 * 24 * 3600
    crash(live, reconciler)
    crash(live, reconciler)
    assert live.scheduler.inspect(web(live).id).exit_code == 1
    clock.now -= 24 * 3600
    reconciler.tend_due()
    assert live.scheduler.inspect(web(live).id).exit_code is None


def test_pauses_double_up_to_a_minute() -> None:
    assert [pause_after(n) for n in range(9)] == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def crash_until_parked(live: World, reconciler: Reconciler, clock: Clock) -> int:
    crashes = 0
    while not web(live).is_parked and crashes < 50:
        crash(live, reconciler)
        crashes += 1
        clock.now += 60.0 if crashes > 6 else pause_after(crashes) + 0.1
        reconciler.tend_due()
    return crashes


def test_ten_crashes_in_ten_minutes_park_a_process_and_say_so(
    live: World, reconciler: Reconciler, clock: Clock
) -> None:
    assert crash_until_parked(live, reconciler, clock) == 10
    row = web(live)
    assert "crashed 10 times in ten minutes" in row.trouble
    assert "ps:restart shop" in row.trouble
    assert journal(live)[-1].startswith("web.1 crashed 10 times")
    clock.now += 3600
    Reconciler(live.platform, clock, clock).run()  # of a daemon that was started anew
    assert live.scheduler.inspect(row.id).exit_code is not None
    assert live.scheduler.tail(row.id, 1) == ()


@pytest.mark.parametrize("how", ["push", "ps:start", "ps:restart"])
def test_a_parked_process_is_tried_again_on_demand(
    live: World, reconciler: Reconciler, clock: Clock, how: str
) -> None:
    crash_until_parked(live, reconciler, clock)
    if how == "push":
        assert live.push(procfile="web: better") == "ok"
    elif how == "ps:start":
        operate.start(live.platform, live.app(), ANNA)
    else:
        operate.restart(live.platform, live.app(), ANNA)
    reconciler.retire()
    clock.now += 2
    reconciler.retire()
    assert not web(live).is_parked
    assert live.scheduler.inspect(web(live).id).exit_code is None


def test_a_process_that_stays_up_is_handed_back_to_the_engine(
    live: World, reconciler: Reconciler, clock: Clock
) -> None:
    crash(live, reconciler)
    assert web(live).trouble
    for _ in range(3):
        clock.now += 40
        reconciler.tend_due()
    assert web(live).trouble == ""
    assert live.scheduler.running[web(live).id].kept
    assert journal(live)[-1] == "web.1 is well again"


def test_what_was_stopped_by_hand_is_no_crash(live: World, reconciler: Reconciler) -> None:
    for _ in range(12):
        with closing(live.scheduler.watch()) as watch:
            live.scheduler.stop_by_hand(web(live).id)
            reconciler.hear(watch.read())
            live.scheduler.watches.remove(watch)
        assert live.scheduler.inspect(web(live).id).exit_code is None
    assert web(live).trouble == ""


def test_exit_code_0_is_a_crash_too(live: World, reconciler: Reconciler) -> None:
    live.scheduler.unkeep([web(live).id])
    crash(live, reconciler, 0)
    assert web(live).trouble == "it exited with code 0; it is started again in 1 s"


def test_what_ended_while_nobody_watched_is_no_crash(live: World, reconciler: Reconciler) -> None:
    live.scheduler.unkeep([web(live).id])
    live.scheduler.crash(web(live).id, 1)
    reconciler.run()
    assert web(live).trouble == ""
    assert live.scheduler.inspect(web(live).id).exit_code is None


def test_a_process_that_cannot_be_started_is_tried_less_and_less_often(
    live: World, reconciler: Reconciler, clock: Clock
) -> None:
    container = live.scheduler.running[web(live).id]
    refusing = container.program.__class__(refused="the disk is full")
    live.scheduler.programs["serve"] = refusing
    live.scheduler.remove_by_hand(web(live).id)
    reconciler.run()
    assert web(live).trouble == "cannot be started: the disk is full"
    dues = []
    for _ in range(3):
        dues.append(web(live).due - clock.now)
        clock.now = web(live).due
        reconciler.tend_due()
    assert dues == [1.0, 2.0, 4.0]
    live.scheduler.programs.clear()
    clock.now = web(live).due
    reconciler.tend_due()
    assert web(live).id in live.scheduler.running


def test_one_app_that_cannot_be_repaired_stops_no_other(
    live: World, reconciler: Reconciler
) -> None:
    live.push("other", procfile="web: other")
    live.scheduler.programs["serve"] = live.scheduler.running[web(live).id].program.__class__(
        refused="no"
    )
    for name in ("shop", "other"):
        live.scheduler.remove_by_hand(web(live, name).id)
    reconciler.run()
    assert web(live, "other").id in live.scheduler.running


def test_beside_a_deploy_at_work_a_process_comes_back(live: World, reconciler: Reconciler) -> None:
    live.scheduler.remove_by_hand(web(live).id)
    with live.platform.locks.app(live.app().id, "anna", "push"):
        reconciler.run()
    assert web(live).id in live.scheduler.running


def test_beside_a_deploy_a_single_writer_is_left_alone(live: World, reconciler: Reconciler) -> None:
    live.store.properties.set(live.app().id, "ps", "strategy", "recreate")
    live.scheduler.remove_by_hand(web(live).id)
    with live.platform.locks.app(live.app().id, "anna", "push"):
        reconciler.run()
    assert not live.scheduler.running


def test_beside_ps_stop_nothing_is_started(live: World, reconciler: Reconciler) -> None:
    live.scheduler.remove_by_hand(web(live).id)
    with live.platform.locks.app(live.app().id, "anna", "ps:stop"):
        reconciler.run()
    assert not live.scheduler.running


def lose_image(live: World) -> Release:
    release = live.current()
    live.scheduler.images = set()
    live.scheduler.remove_by_hand(web(live).id)
    return release


def test_an_image_that_is_gone_is_built_again_from_the_kept_commit(
    live: World, reconciler: Reconciler, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lose_image(live)
    build = live.builder.build

    def build_and_keep(*args: object, **options: object) -> object:
        image = build(*args, **options)  # type: ignore[arg-type] # passed on as they came
        assert live.scheduler.images is not None
        live.scheduler.images.add(image.id)
        return image

    monkeypatch.setattr(live.builder, "build", build_and_keep)
    reconciler.run()
    after = live.current()
    assert (after.version, after.commit) == (before.version + 1, before.commit)
    assert after.reason == "image was gone"
    assert f"is built again from {before.commit[:7]}" in journal(live)[0]  # type: ignore[index] # it has one
    running = [c.id for c in live.scheduler.containers()]
    assert [row.id for row in live.store.containers.of(live.app().id) if row.id in running]


def test_an_image_that_cannot_be_built_again_is_told_and_tried_later(
    live: World, reconciler: Reconciler, clock: Clock
) -> None:
    lose_image(live)
    live.repos.kept.clear()
    live.repos.branches.clear()
    reconciler.run()
    assert "building it again failed: Commit" in web(live).trouble
    builds = len(live.store.deploys.list())
    clock.now += 200
    reconciler.tend_due()
    assert len(live.store.deploys.list()) == builds
    clock.now += 200
    reconciler.tend_due()
    assert len(live.store.deploys.list()) == builds + 1


def test_a_container_that_is_just_being_made_is_no_orphan(
    live: World, reconciler: Reconciler
) -> None:
    spec = live.scheduler.running[web(live).id].spec
    made = live.scheduler.start(spec)  # its id is not stored yet
    reconciler.sweep()
    assert made in live.scheduler.running
