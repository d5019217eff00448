"""What every scheduler does: the fake, and Docker Engine (as many as PAAS_TEST_ENGINES names)."""

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from paas.errors import EngineUnavailable, StartFailed
from paas.model import App, ProcessState
from paas.schedulers.base import Listener, LogLine, ProcessSpec, Scheduler
from paas.schedulers.docker_local import DockerLocal
from paas.settings import Settings
from tests.contracts.engines import ENGINES, stack_image, until
from tests.fakes.scheduler import FakeScheduler, Program

SLEEPS = "exec sleep 600"
SPEAKS = "echo one; sleep 0.1; echo two >&2; exec sleep 600"
COLOURS = r"printf 'a\n\033[31mred\033[0m\033]0;title\007\n'; exec sleep 600"
LATER = "echo early; sleep 1; echo late; sleep 1"
EXITS = "echo oops; exit 3"
IGNORES_TERM = "trap '' TERM; while :; do sleep 0.1; done"
LISTENS = (
    'exec python3 -c \'import socket,time; s=socket.create_server(("127.0.0.1",8000));'
    " time.sleep(600)'"
)
NOTHING = "sha256:" + "0" * 64


@dataclass(frozen=True)
class World:
    """A scheduler under test and what the tests need around it."""

    scheduler: Scheduler
    image: str
    settings: Settings
    crash: Callable[[str], None]
    close: Callable[[], None]

    def spec(self, command: str, slot: int = 1, process_type: str = "web") -> ProcessSpec:
        address = str(self.settings.subnet(APP.network_index)[2 + slot])
        return ProcessSpec(
            APP, 1, process_type, slot, self.image, command, {"A": "b"}, 5000, address
        )

    def start(self, command: str, slot: int = 1) -> str:
        return self.scheduler.start(self.spec(command, slot))


# Names and ranges of this run alone: two runs may share an engine.
RUN = os.getpid()
APP = App(1, "shop", RUN % 2000, 0.0)


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
        made.close()


def _fake() -> World:
    programs: dict[str | None, Program] = {
        SLEEPS: Program(status=None),
        SPEAKS: Program(("one",), ("two",), status=None),
        COLOURS: Program(("a", "\x1b[31mred\x1b[0m\x1b]0;title\x07"), status=None),
        EXITS: Program(("oops",), exit_code=3),
        IGNORES_TERM: Program(status=None),
    }
    scheduler = FakeScheduler("ctfake", programs)
    scheduler.images = {"sha256:" + "1" * 64}
    scheduler.programs[LISTENS] = Program(status=None, listens=(Listener("127.0.0.1", 8000),))
    scheduler.programs[LATER] = Program(("early", "late"), exit_code=0)
    settings = Settings(instance="ctfake", network="127.66.0.0/16")
    return World(scheduler, "sha256:" + "1" * 64, settings, scheduler.crash, scheduler.close)


def _real(url: str) -> World:
    settings = Settings(
        instance=f"ct{RUN:x}", engine=url, network="10.201.0.0/16", services="10.202.0.0/16"
    )
    scheduler = DockerLocal(settings)

    def crash(container_id: str) -> None:
        os.kill(scheduler.inspect(container_id).pid, signal.SIGKILL)

    return World(scheduler, stack_image(url), settings, crash, scheduler.close)


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


def test_an_id_that_is_gone_is_not_an_error(world: World) -> None:
    scheduler = world.scheduler
    assert scheduler.inspect(NOTHING).state is ProcessState.MISSING
    assert scheduler.tail(NOTHING, 5) == ()
    assert scheduler.listeners(NOTHING) == ()
    assert scheduler.connections(NOTHING, 80) == 0
    assert list(scheduler.logs({NOTHING: "web.1"}, 5, follow=True)) == []
    scheduler.remove_images([NOTHING])


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


def test_following_ends_when_the_container_is_stopped(world: World) -> None:
    container = world.start(SPEAKS)
    lines = world.scheduler.logs({container: "web.1"}, None, follow=True)
    assert next(lines).text == "one"
    stopper = threading.Thread(target=world.scheduler.stop, args=([container], 1))
    stopper.start()
    assert "one" not in texts(lines)
    stopper.join()


def test_exec_passes_bytes_both_ways_and_the_status(world: World) -> None:
    container = world.start(SLEEPS)
    sent, received, errors = bytes(range(256)) * 2000, io.BytesIO(), io.BytesIO()
    argv = ["sh", "-c", "cat; echo bad >&2; exit 7"]
    status = world.scheduler.exec(container, argv, io.BytesIO(sent), received, errors)
    assert (status, received.getvalue(), errors.getvalue()) == (7, sent, b"bad\n")


def test_exec_in_a_process_that_has_ended_is_refused(world: World) -> None:
    container = world.start(EXITS)
    until(lambda: world.scheduler.inspect(container), lambda o: o.state is ProcessState.EXITED)
    with pytest.raises(StartFailed, match="not running"):
        world.scheduler.exec(container, ["true"], None, io.BytesIO())


def test_listeners_tell_address_and_port(world: World) -> None:
    container = world.start(LISTENS)
    found = until(lambda: world.scheduler.listeners(container), bool)
    assert [(x.address, x.port) for x in found] == [("127.0.0.1", 8000)]


def test_an_image_that_is_gone_fails_the_start_and_leaves_nothing(world: World) -> None:
    with pytest.raises(StartFailed, match=r"(?i)no such image"):
        World(world.scheduler, NOTHING, world.settings, world.crash, world.close).start(SLEEPS)
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
    return World(DockerLocal(settings), NOTHING, settings, lambda _: None, lambda: None)


@pytest.mark.parametrize("make", [_fake_down, _real_down])
def test_without_an_engine_every_method_says_so(make: Callable[[], World]) -> None:
    world, spec = make(), make().spec(SLEEPS)
    scheduler = world.scheduler
    calls: list[Callable[[], object]] = [
        lambda: scheduler.create_network(APP),
        lambda: scheduler.start(spec),
        lambda: scheduler.keep([NOTHING]),
        lambda: scheduler.stop([NOTHING], 1),
        lambda: scheduler.run_once(spec, lambda _: None, 1),
        lambda: scheduler.inspect(NOTHING),
        scheduler.containers,
        lambda: scheduler.listeners(NOTHING),
        lambda: scheduler.connections(NOTHING, 80),
        lambda: scheduler.tail(NOTHING, 1),
        lambda: list(scheduler.logs({NOTHING: "web.1"}, 1, follow=False)),
        lambda: scheduler.exec(NOTHING, ["true"], None, io.BytesIO()),
        lambda: scheduler.remove_images([NOTHING]),
        lambda: scheduler.destroy(APP),
    ]
    for call in calls:
        with pytest.raises(EngineUnavailable) as caught:
            call()
        assert caught.value.hint
    assert [f.level for f in scheduler.check()] == ["fail"]
