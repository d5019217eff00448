"""What every scheduler does: the fake, and Docker Engine (as many as PAAS_TEST_ENGINES names)."""

import os
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import docker
import pytest

from paas.errors import Conflict, EngineUnavailable, ImageMissing, NotFound, StartFailed
from paas.model import App, ProcessState
from paas.network import Link, SharedNetwork
from paas.schedulers.base import (
    Change,
    Event,
    Listener,
    LogLine,
    ProcessSpec,
    Scheduler,
    Streams,
    Watch,
)
from paas.schedulers.docker_local import DockerLocal
from paas.settings import Settings
from tests.contracts.engines import ENGINES, PATIENCE, stack_image, until
from tests.fakes.files import Files
from tests.fakes.scheduler import FakeScheduler, Program

SLEEPS = "exec sleep 600"
SPEAKS = "echo one; sleep 0.1; echo two >&2; exec sleep 600"
COLOURS = r"printf 'a\n\033[31mred\033[0m\033]0;title\007\n'; exec sleep 600"
LATER = "echo early; sleep 1; echo late; sleep 1"
EXITS = "echo oops; exit 3"
BAKES = "echo baked"
IGNORES_TERM = "trap '' TERM; while :; do sleep 0.1; done"
LISTENS = (
    'exec python3 -c \'import socket,time; s=socket.create_server(("127.0.0.1",8000));'
    " time.sleep(600)'"
)
NOTHING = "sha256:" + "0" * 64
SENT = bytes(range(256)) * 2000


@dataclass(frozen=True)
class World:
    """A scheduler under test and what the tests need around it."""

    scheduler: Scheduler
    image: str
    settings: Settings
    crash: Callable[[str], None]
    by_hand: "ByHand"
    close: Callable[[], None]
    remove_image: Callable[[str], None] = lambda _: None

    def spec(self, command: str, slot: int = 1, process_type: str = "web") -> ProcessSpec:
        address = str(self.settings.subnet(APP.network_index)[2 + slot])
        return ProcessSpec(
            APP, 1, process_type, slot, self.image, command, {"A": "b"}, 5000, address
        )

    def start(self, command: str, slot: int = 1) -> str:
        return self.scheduler.start(self.spec(command, slot))


class ByHand(Protocol):
    """What somebody does with the engine behind the scheduler's back."""

    def stop_by_hand(self, container_id: str) -> None: ...
    def pause_by_hand(self, container_id: str) -> None: ...
    def rename_by_hand(self, container_id: str, name: str) -> None: ...
    def unlink_by_hand(self, container_id: str, network: str) -> None: ...
    def remove_by_hand(self, container_id: str) -> None: ...


class EngineByHand:
    """Docker's own client."""

    def __init__(self, url: str) -> None:
        self._engine = docker.APIClient(url)

    def stop_by_hand(self, container_id: str) -> None:
        self._engine.stop(container_id, timeout=1)

    def pause_by_hand(self, container_id: str) -> None:
        self._engine.pause(container_id)

    def rename_by_hand(self, container_id: str, name: str) -> None:
        self._engine.rename(container_id, name)

    def unlink_by_hand(self, container_id: str, network: str) -> None:
        name = f"ct{RUN:x}-net-{network}"
        self._engine.disconnect_container_from_network(container_id, name)

    def remove_by_hand(self, container_id: str) -> None:
        self._engine.remove_container(container_id, force=True)

    def remove_image(self, image: str) -> None:
        self._engine.remove_image(image)

    def close(self) -> None:
        self._engine.close()


# Names and ranges of this run alone: two runs may share an engine.
RUN = os.getpid()
APP = App(1, "shop", RUN % 2000, 0.0)


SHARED = SharedNetwork(1, "backend", 2044 - 4 * (RUN % 10), None, 0.0)


@pytest.fixture(
    params=["fake", *(pytest.param(url, marks=pytest.mark.engine) for url in ENGINES)],
    ids=lambda url: str(url).rpartition("/")[2],
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = _fake() if request.param == "fake" else _real(request.param)
    try:
        yield made
    finally:
        made.scheduler.destroy(APP)
        made.scheduler.remove_shared(SHARED)
        made.close()


def _fake() -> World:
    programs: dict[str | None, Program] = {
        SLEEPS: Program(status=None),
        SPEAKS: Program(("one",), ("two",), status=None),
        COLOURS: Program(("a", "\x1b[31mred\x1b[0m\x1b]0;title\x07"), status=None),
        BAKES: Program(("baked",), exit_code=0),
        EXITS: Program(("oops",), exit_code=3),
        IGNORES_TERM: Program(status=None),
    }
    scheduler = FakeScheduler("ctfake", programs)
    scheduler.images = {"sha256:" + "1" * 64}
    scheduler.programs[LISTENS] = Program(status=None, listens=(Listener("127.0.0.1", 8000),))
    scheduler.programs[LATER] = Program(("early", "late"), exit_code=0)
    settings = Settings(instance="ctfake", network="127.66.0.0/16")
    image = "sha256:" + "1" * 64
    return World(scheduler, image, settings, scheduler.crash, scheduler, scheduler.close)


def _real(url: str) -> World:
    settings = Settings(
        instance=f"ct{RUN:x}", engine=url, network="10.201.0.0/16", services="10.202.0.0/16"
    )
    scheduler = DockerLocal(settings)

    def crash(container_id: str) -> None:
        os.kill(scheduler.inspect(container_id).pid, signal.SIGKILL)

    by_hand = EngineByHand(url)

    def close() -> None:
        scheduler.close()
        by_hand.close()

    image = stack_image(url)
    return World(scheduler, image, settings, crash, by_hand, close, by_hand.remove_image)


def texts(lines: Iterator[LogLine]) -> list[str]:
    return [line.text for line in lines]


def test_a_started_process_runs_at_its_address(world: World) -> None:
    seen = world.scheduler.inspect(world.start(SLEEPS))
    assert seen.state is ProcessState.RUNNING
    assert seen.name == f"{world.settings.instance}-shop.web.1.1"
    assert seen.address == str(world.settings.subnet(APP.network_index)[3])
    assert seen.memory == 512 * 1024 * 1024


def test_every_container_of_the_instance_is_listed(world: World) -> None:
    started = {world.start(SLEEPS, slot=1), world.start(EXITS, slot=2)}
    listed = until(
        lambda: {c.id: c for c in world.scheduler.containers()},
        lambda found: any(c.exit_code == 3 for c in found.values()),
    )
    assert set(listed) == started


def test_a_leftover_of_the_same_name_is_replaced(world: World) -> None:
    old = world.start(SLEEPS)
    new = world.start(SLEEPS)
    assert world.scheduler.inspect(old).state is ProcessState.MISSING
    assert [c.id for c in world.scheduler.containers()] == [new]


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
    world.crash(container)
    seen = until(lambda: world.scheduler.inspect(container), lambda o: o.restarts == 1)
    assert seen.state in {ProcessState.RUNNING, ProcessState.RESTARTING}


def test_a_process_that_ended_meanwhile_can_be_kept(world: World) -> None:
    for _ in range(5):
        world.scheduler.keep([world.start(EXITS)])


def test_a_process_that_is_no_longer_kept_stays_down_and_can_be_mended(world: World) -> None:
    container = world.start(SLEEPS)
    world.scheduler.keep([container])
    world.scheduler.unkeep([container, NOTHING])
    world.crash(container)
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
    damages: list[Callable[[], None]] = [
        lambda: world.by_hand.stop_by_hand(container),
        lambda: world.by_hand.pause_by_hand(container),
        lambda: world.by_hand.rename_by_hand(container, f"{before.name}-old"),
    ]
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


def test_an_image_is_known_to_be_there_or_not(world: World) -> None:
    assert world.scheduler.has_image(world.image)
    assert not world.scheduler.has_image(NOTHING)


def test_stop_removes_all_even_those_that_ignore_term_or_are_gone(world: World) -> None:
    ids = [world.start(SLEEPS, 1), world.start(IGNORES_TERM, 2), world.start(EXITS, 3), NOTHING]
    world.scheduler.keep(ids)
    world.scheduler.stop(ids, timeout=1)
    assert world.scheduler.containers() == ()
    world.scheduler.stop(ids, timeout=1)


def test_one_run_gives_its_output_and_status_and_leaves_nothing(world: World) -> None:
    output: list[bytes] = []
    status = world.scheduler.run_once(world.spec(EXITS), output.append, timeout=30)
    assert (status, b"".join(output)) == (3, b"oops\n")
    assert world.scheduler.containers() == ()


def test_one_run_that_takes_too_long_is_ended(world: World) -> None:
    with pytest.raises(StartFailed, match="did not end within 1 s"):
        world.scheduler.run_once(world.spec(IGNORES_TERM), lambda _: None, timeout=1)
    assert world.scheduler.containers() == ()


def test_what_is_baked_gives_output_status_and_an_image(world: World) -> None:
    output, images = list[bytes](), list[str]()
    spec = world.spec(BAKES, process_type="predeploy")
    assert world.scheduler.bake(spec, output.append, 30, images.append) == 0
    assert b"".join(output) == b"baked\n"
    (image,) = images
    assert image != world.image
    assert world.scheduler.has_image(image)
    assert world.scheduler.containers() == ()
    world.remove_image(image)


def test_what_fails_in_the_oven_or_is_too_slow_makes_no_image(world: World) -> None:
    images: list[str] = []
    output: list[bytes] = []
    assert world.scheduler.bake(world.spec(EXITS), output.append, 30, images.append) == 3
    assert b"".join(output) == b"oops\n"
    with pytest.raises(StartFailed, match="did not end within 1 s"):
        world.scheduler.bake(world.spec(IGNORES_TERM), output.append, 1, images.append)
    with pytest.raises(ImageMissing, match=r"(?i)no such image"):
        world.scheduler.bake(
            replace(world.spec(BAKES), image=NOTHING), output.append, 30, images.append
        )
    assert (images, world.scheduler.containers()) == ([], ())


def test_a_baked_image_that_is_refused_is_gone(world: World) -> None:
    seen: list[str] = []

    def refuse(image: str) -> None:
        seen.append(image)
        raise NotFound("not wanted")

    with pytest.raises(NotFound):
        world.scheduler.bake(world.spec(BAKES), lambda _: None, 30, refuse)
    assert not world.scheduler.has_image(seen[0])


def test_an_id_that_is_gone_is_not_an_error(world: World) -> None:
    scheduler = world.scheduler
    assert scheduler.inspect(NOTHING).state is ProcessState.MISSING
    assert scheduler.tail(NOTHING, 5) == ()
    assert scheduler.listeners(NOTHING) == ()
    assert scheduler.connections(NOTHING, 80) == 0
    assert list(scheduler.logs({NOTHING: "web.1"}, 5, follow=True)) == []


def test_the_tail_has_no_terminal_control(world: World) -> None:
    container = world.start(COLOURS)
    assert until(lambda: world.scheduler.tail(container, 1), bool) == ("red",)


def test_logs_are_merged_by_time_with_process_and_stream(world: World) -> None:
    first, second = world.start(SPEAKS, 1), world.start(SPEAKS, 2)
    names = {first: "web.1", second: "web.2"}
    lines = until(
        lambda: list(world.scheduler.logs(names, None, follow=False)), lambda x: len(x) == 4
    )
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert {(line.process, line.text, line.is_stderr) for line in lines} == {
        (name, text, text == "two") for name in names.values() for text in ("one", "two")
    }
    assert len(list(world.scheduler.logs(names, 2, follow=False))) == 2


def test_following_shows_old_and_new_lines_until_the_end(world: World) -> None:
    container = world.start(LATER)
    lines = texts(world.scheduler.logs({container: "web.1"}, None, follow=True))
    assert lines == ["early", "late"]


def test_only_lines_after_a_moment_are_told(world: World) -> None:
    container = world.start(SPEAKS)
    names = {container: "web.1"}
    lines = until(
        lambda: list(world.scheduler.logs(names, None, follow=False)), lambda x: len(x) == 2
    )
    later = world.scheduler.logs(names, None, follow=False, after=lines[0].at)
    assert texts(later) == ["two"]
    assert texts(world.scheduler.logs(names, None, follow=False, after=lines[1].at)) == []


def test_the_log_can_be_read_in_full_before_it_is_removed(world: World) -> None:
    container = world.start(SPEAKS)
    until(lambda: world.scheduler.tail(container, 2), lambda x: len(x) == 2)
    told: list[str] = []

    def read(ended: str) -> None:
        told.extend(texts(world.scheduler.logs({ended: "web.1"}, None, follow=False)))

    world.scheduler.stop([container, "gone"], 1, read)
    assert told == ["one", "two"]


def test_following_ends_when_the_container_is_stopped(world: World) -> None:
    container = world.start(SPEAKS)
    lines = world.scheduler.logs({container: "web.1"}, None, follow=True)
    assert next(lines).text == "one"
    stopper = threading.Thread(target=world.scheduler.stop, args=([container], 1))
    stopper.start()
    assert "one" not in texts(lines)
    stopper.join()


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Files]:
    with Files(tmp_path) as made:
        yield made


def test_exec_passes_bytes_both_ways_and_the_status(world: World, files: Files) -> None:
    container = world.start(SLEEPS)
    files.write(SENT)
    argv = ["sh", "-c", "cat; echo bad >&2; exit 7"]
    status = world.scheduler.exec(container, argv, files.streams)
    assert (status, files.out, files.err) == (7, SENT, b"bad\n")


def test_exec_in_a_process_that_has_ended_is_refused(world: World, files: Files) -> None:
    container = world.start(EXITS)
    until(lambda: world.scheduler.inspect(container), lambda o: o.state is ProcessState.EXITED)
    with pytest.raises(StartFailed, match="not running"):
        world.scheduler.exec(container, ["true"], files.streams)


def test_a_container_that_is_held_passes_bytes_and_the_status_and_is_removed(
    world: World, files: Files
) -> None:
    seen: list[str] = []
    files.write(SENT)
    spec = world.spec("cat; echo bad >&2; exit 7", process_type="run")
    status = world.scheduler.attach(spec, files.streams, seen.append)
    assert (status, files.out, files.err) == (7, SENT, b"bad\n")
    assert world.scheduler.inspect(seen[0]).state is ProcessState.MISSING
    assert world.scheduler.containers() == ()


def test_a_held_container_without_input_reads_its_end_at_once(world: World, files: Files) -> None:
    streams = replace(files.streams, stdin=None)
    assert world.scheduler.attach(world.spec("cat; echo end"), streams, lambda _: None) == 0
    assert files.out == b"end\n"


def test_a_held_container_is_not_started_when_its_id_is_not_wanted(
    world: World, files: Files
) -> None:
    def refuse(_: str) -> None:
        raise NotFound("not wanted")

    with pytest.raises(NotFound):
        world.scheduler.attach(world.spec("echo it runs"), files.streams, refuse)
    assert files.out == b""
    assert world.scheduler.containers() == ()


def test_a_running_process_can_be_described_listed_and_measured(world: World) -> None:
    container = world.start(SLEEPS)
    assert "A=b" in world.scheduler.describe(container)["Config"]["Env"]
    titles, *processes = world.scheduler.top(container)
    assert "COMMAND" in titles
    assert any("sleep 600" in row[-1] for row in processes)
    usage = world.scheduler.usage(container)
    assert usage
    assert usage.memory_limit == 512 * 1024 * 1024
    assert usage.pids > 0


@pytest.mark.parametrize("is_there", [True, False])
def test_what_does_not_run_has_no_processes_and_uses_nothing(world: World, is_there: bool) -> None:
    container = world.start(EXITS) if is_there else NOTHING
    until(lambda: world.scheduler.inspect(container), lambda o: o.state is not ProcessState.RUNNING)
    assert world.scheduler.top(container) == ()
    assert world.scheduler.usage(container) is None
    assert bool(world.scheduler.describe(container)) == is_there


def test_listeners_tell_address_and_port(world: World) -> None:
    container = world.start(LISTENS)
    found = until(lambda: world.scheduler.listeners(container), bool)
    assert [(x.address, x.port) for x in found] == [("127.0.0.1", 8000)]


def test_an_image_that_is_gone_fails_the_start_and_leaves_nothing(world: World) -> None:
    with pytest.raises(ImageMissing, match=r"(?i)no such image"):
        replace(world, image=NOTHING).start(SLEEPS)
    assert world.scheduler.containers() == ()


def test_a_destroyed_app_can_be_started_again(world: World) -> None:
    world.scheduler.create_network(APP)
    world.scheduler.create_network(APP)
    old = world.start(SLEEPS)
    world.scheduler.destroy(APP)
    world.scheduler.destroy(APP)
    assert world.scheduler.inspect(old).state is ProcessState.MISSING
    assert world.scheduler.inspect(world.start(SLEEPS)).state is ProcessState.RUNNING


def _fake_down() -> World:
    made = _fake()
    assert isinstance(made.scheduler, FakeScheduler)
    made.scheduler.is_down = True
    return made


def _real_down() -> World:
    settings = Settings(instance="ctdown", engine="unix:///nowhere/docker.sock")
    by_hand = FakeScheduler("ctdown")  # nobody's hand reaches an engine that is not there
    return World(DockerLocal(settings), NOTHING, settings, lambda _: None, by_hand, lambda: None)


@pytest.mark.parametrize("make", [_fake_down, _real_down])
def test_without_an_engine_every_method_says_so(make: Callable[[], World]) -> None:
    world, spec = make(), make().spec(SLEEPS)
    scheduler, streams = world.scheduler, Streams(None, 1, 2)
    calls: list[Callable[[], object]] = [
        lambda: scheduler.create_network(APP),
        lambda: scheduler.start(spec),
        lambda: scheduler.keep([NOTHING]),
        lambda: scheduler.unkeep([NOTHING]),
        lambda: scheduler.park(NOTHING, 1),
        lambda: scheduler.mend(NOTHING, "ctdown-shop.web.1.1"),
        scheduler.watch,
        lambda: scheduler.has_image(NOTHING),
        lambda: scheduler.stop([NOTHING], 1),
        lambda: scheduler.run_once(spec, lambda _: None, 1),
        lambda: scheduler.bake(spec, lambda _: None, 1, lambda _: None),
        lambda: scheduler.inspect(NOTHING),
        scheduler.containers,
        lambda: scheduler.listeners(NOTHING),
        lambda: scheduler.connections(NOTHING, 80),
        lambda: scheduler.tail(NOTHING, 1),
        lambda: list(scheduler.logs({NOTHING: "web.1"}, 1, follow=False)),
        lambda: scheduler.exec(NOTHING, ["true"], streams),
        lambda: scheduler.attach(spec, streams, lambda _: None),
        lambda: scheduler.describe(NOTHING),
        lambda: scheduler.top(NOTHING),
        lambda: scheduler.usage(NOTHING),
        lambda: scheduler.destroy(APP),
    ]
    for call in calls:
        with pytest.raises(EngineUnavailable) as caught:
            call()
        assert caught.value.hint
    assert [f.level for f in scheduler.check()] == ["fail"]


def backend(world: World) -> frozenset[str]:
    return frozenset({f"{world.settings.instance}-net-backend"})


def link_at(world: World, seat: int) -> Link:
    address = world.settings.shared_subnet(SHARED.index)[seat]
    return Link(SHARED, (f"shop.web.{seat}",), str(address))


def test_a_linked_container_is_on_the_shared_network_too(world: World) -> None:
    container = world.start(SLEEPS)
    assert world.scheduler.inspect(container).beside == frozenset()
    for _ in range(2):
        world.scheduler.link(container, link_at(world, 2))
    world.scheduler.link(NOTHING[7:], link_at(world, 3))
    seen = world.scheduler.inspect(container)
    assert (seen.beside, seen.state) == (backend(world), ProcessState.RUNNING)
    assert seen.address == world.spec(SLEEPS).address
    (listed,) = world.scheduler.containers()
    assert (listed.beside, listed.address) == (seen.beside, seen.address)


def test_a_container_starts_on_its_shared_networks(world: World) -> None:
    spec = replace(world.spec(SLEEPS), links=(link_at(world, 2),))
    seen = world.scheduler.inspect(world.scheduler.start(spec))
    assert (seen.beside, seen.address) == (backend(world), spec.address)


def test_an_app_is_taken_off_with_all_its_containers(world: World) -> None:
    links = [replace(world.spec(SLEEPS, n), links=(link_at(world, n + 1),)) for n in (1, 2)]
    started = [world.scheduler.start(spec) for spec in links]
    world.by_hand.unlink_by_hand(started[0], "backend")
    with pytest.raises(Conflict):
        world.scheduler.remove_shared(SHARED)
    world.scheduler.unlink(APP, SHARED)
    world.scheduler.unlink(APP, SHARED)
    assert {world.scheduler.inspect(each).beside for each in started} == {frozenset()}
    world.scheduler.remove_shared(SHARED)
    world.scheduler.remove_shared(SHARED)
