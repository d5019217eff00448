"""Crashes and hand-made damage, seen and mended: the fake scheduler, and Docker Engine."""

import select
from contextlib import closing
from functools import partial

from paas.model import ProcessState
from paas.schedulers.base import Change, Event, Watch
from tests.contracts.engines import PATIENCE, until
from tests.contracts.scheduler_world import EXITS, NOTHING, SLEEPS, SPEAKS, World


def test_a_crash_before_keep_is_seen_and_not_restarted(world: World) -> None:
    container = world.start(EXITS)
    seen = until(
        lambda: world.scheduler.inspect(container), lambda o: o.state is ProcessState.EXITED
    )
    assert (seen.exit_code, seen.restarts, seen.oom_killed) == (3, 0, False)
    assert min(seen.started_at, seen.finished_at) > 0  # the engine may note the end first


def test_a_kept_process_comes_back_after_a_crash(world: World) -> None:
    container = world.start(SLEEPS)
    world.scheduler.keep([container, NOTHING])
    world.by_hand.crash(container)
    seen = until(lambda: world.scheduler.inspect(container), lambda o: o.restarts == 1)
    assert seen.state in {ProcessState.RUNNING, ProcessState.RESTARTING}


def test_a_process_that_ended_meanwhile_can_be_kept(world: World) -> None:
    for _ in range(5):
        world.scheduler.keep([world.start(EXITS)])


def test_a_process_that_is_no_longer_kept_stays_down_and_can_be_mended(world: World) -> None:
    container = world.start(SLEEPS)
    world.scheduler.keep([container])
    world.scheduler.unkeep([container, NOTHING])
    world.by_hand.crash(container)
    seen = until(
        lambda: world.scheduler.inspect(container), lambda o: o.state is ProcessState.EXITED
    )
    assert (seen.state, seen.restarts) == (ProcessState.EXITED, 0)
    assert world.scheduler.mend(container, seen.name)
    assert world.scheduler.inspect(container).state is ProcessState.RUNNING


def test_what_was_stopped_paused_or_renamed_by_hand_is_mended_in_its_place(world: World) -> None:
    container = world.start(SLEEPS)
    world.scheduler.keep([container])
    before = world.scheduler.inspect(container)
    hand = world.by_hand
    damages = (
        partial(hand.stop_by_hand, container),
        partial(hand.pause_by_hand, container),
        partial(hand.rename_by_hand, container, f"{before.name}-old"),
    )
    for damage in damages:
        damage()
        assert world.scheduler.mend(container, before.name)
        seen = world.scheduler.inspect(container)
        assert (seen.name, seen.state) == (before.name, ProcessState.RUNNING)
        assert seen.address == before.address


def test_a_pause_is_seen(world: World) -> None:
    container = world.start(SLEEPS)
    world.by_hand.pause_by_hand(container)
    assert world.scheduler.inspect(container).state is ProcessState.PAUSED
    assert [c.state for c in world.scheduler.containers()] == [ProcessState.PAUSED]


def test_mending_a_process_that_runs_leaves_it_alone(world: World) -> None:
    container = world.start(SLEEPS)
    before = world.scheduler.inspect(container)
    assert world.scheduler.mend(container, before.name)
    assert world.scheduler.inspect(container) == before


def test_what_is_gone_or_whose_name_is_taken_cannot_be_mended(world: World) -> None:
    first, second = world.start(SLEEPS, 1), world.start(SLEEPS, 2)
    name = world.scheduler.inspect(second).name
    assert not world.scheduler.mend(NOTHING, name)
    assert not world.scheduler.mend(first, name)


def test_a_parked_process_is_down_for_good_and_its_log_is_there(world: World) -> None:
    container = world.start(SPEAKS)
    until(lambda: world.scheduler.tail(container, 2), lambda lines: len(lines) == 2)
    world.scheduler.keep([container])
    world.scheduler.park(container, timeout=1)
    world.scheduler.park(NOTHING, timeout=1)
    assert world.scheduler.inspect(container).state is ProcessState.EXITED
    assert world.scheduler.tail(container, 2) == ("one", "two")


def test_a_watch_tells_what_happens_to_the_instance_s_containers(world: World) -> None:
    with closing(world.scheduler.watch()) as watch:
        assert watch.read() == ()
        container = world.start(EXITS)
        ended = told_by(watch, Event(container, Change.ENDED, 3))
        world.scheduler.stop([container], timeout=1)
        told = ended + told_by(watch, Event(container, Change.REMOVED))
    assert [e.change for e in told] == [Change.STARTED, Change.ENDED, Change.REMOVED]


def test_a_watch_tells_what_was_done_by_hand(world: World) -> None:
    container = world.start(SLEEPS)
    name = world.scheduler.inspect(container).name
    with closing(world.scheduler.watch()) as watch:
        world.by_hand.pause_by_hand(container)
        world.scheduler.mend(container, name)
        world.by_hand.rename_by_hand(container, f"{name}-old")
        world.by_hand.remove_by_hand(container)
        told = told_by(watch, Event(container, Change.REMOVED))
    assert [e.change for e in told] == [
        Change.PAUSED,
        Change.RENAMED,
        Change.SIGNALLED,
        Change.ENDED,
        Change.REMOVED,
    ]


def told_by(watch: Watch, last: Event) -> list[Event]:
    """Read until an event has come, waiting as the daemon does: for the descriptor."""
    told: list[Event] = []
    while last not in told and select.select([watch], [], [], PATIENCE)[0]:
        told += watch.read()
    return told
