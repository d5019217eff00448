"""What containers wrote, as every scheduler tells it: the fake, and Docker Engine."""

import threading
from collections.abc import Iterator

from paas.schedulers.base import LogLine
from tests.contracts.engines import until
from tests.contracts.scheduler_world import COLOURS, LATER, SPEAKS, World


def texts(lines: Iterator[LogLine]) -> list[str]:
    return [line.text for line in lines]


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
