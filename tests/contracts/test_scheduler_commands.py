"""One-off containers and commands in running ones: the fake scheduler, and Docker Engine."""

from dataclasses import replace

import pytest

from paas.errors import ImageMissing, NotFound, StartFailed
from paas.model import ProcessState, SecurityOptions
from paas.schedulers.base import Exit
from tests.contracts.engines import until
from tests.contracts.scheduler_world import (
    BAKES,
    EATS,
    EXITS,
    IGNORES_TERM,
    NOTHING,
    SENT,
    SLEEPS,
    World,
)
from tests.fakes.files import Files


def test_one_run_gives_its_output_and_status_and_leaves_nothing(world: World) -> None:
    output: list[bytes] = []
    ended = world.scheduler.run_once(world.spec(EXITS), output.append, timeout=30)
    assert (ended.status, b"".join(output)) == (3, b"oops\n")
    assert world.scheduler.containers() == ()


def test_one_run_that_takes_too_long_is_ended(world: World) -> None:
    with pytest.raises(StartFailed, match="did not end within 1 s"):
        world.scheduler.run_once(world.spec(IGNORES_TERM), lambda _: None, timeout=1)
    assert world.scheduler.containers() == ()


def test_what_is_baked_gives_output_status_and_an_image(world: World) -> None:
    output, images = list[bytes](), list[str]()
    spec = world.spec(BAKES, process_type="predeploy")
    assert world.scheduler.bake(spec, output.append, 30, images.append).status == 0
    assert b"".join(output) == b"baked\n"
    (image,) = images
    assert image != world.image
    assert world.by_hand.has_image(image)
    assert world.scheduler.containers() == ()
    world.by_hand.remove_image(image)


def test_what_fails_in_the_oven_or_is_too_slow_makes_no_image(world: World) -> None:
    images: list[str] = []
    output: list[bytes] = []
    ended = world.scheduler.bake(world.spec(EXITS), output.append, 30, images.append)
    assert ended == Exit(3)
    assert b"".join(output) == b"oops\n"
    with pytest.raises(StartFailed, match="did not end within 1 s"):
        world.scheduler.bake(world.spec(IGNORES_TERM), output.append, 1, images.append)
    with pytest.raises(ImageMissing, match=r"(?i)no such image"):
        world.scheduler.bake(
            replace(world.spec(BAKES), image=NOTHING), output.append, 30, images.append
        )
    assert (images, world.scheduler.containers()) == ([], ())


def test_a_command_that_takes_too_much_memory_is_known_by_it(world: World, files: Files) -> None:
    limit = 64 * 1024 * 1024
    spec = replace(world.spec(EATS), options=SecurityOptions(memory=limit))
    images: list[str] = []
    assert world.scheduler.run_once(spec, lambda _: None, 30) == Exit(5, limit)
    assert world.scheduler.bake(spec, lambda _: None, 30, images.append) == Exit(5, limit)
    assert world.scheduler.attach(spec, files.streams, lambda _: None) == Exit(5, limit)
    assert (images, world.scheduler.containers()) == ([], ())


def test_a_baked_image_that_is_refused_is_gone(world: World) -> None:
    seen: list[str] = []

    def refuse(image: str) -> None:
        seen.append(image)
        raise NotFound("not wanted")

    with pytest.raises(NotFound):
        world.scheduler.bake(world.spec(BAKES), lambda _: None, 30, refuse)
    assert not world.by_hand.has_image(seen[0])


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
    ended = world.scheduler.attach(spec, files.streams, seen.append)
    assert (ended.status, files.out, files.err) == (7, SENT, b"bad\n")
    assert world.scheduler.inspect(seen[0]).state is ProcessState.MISSING
    assert world.scheduler.containers() == ()


def test_a_held_container_without_input_reads_its_end_at_once(world: World, files: Files) -> None:
    streams = replace(files.streams, stdin=None)
    assert world.scheduler.attach(world.spec("cat; echo end"), streams, lambda _: None).status == 0
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
