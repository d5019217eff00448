"""dockerd itself stops, is killed, or hangs in a deploy: an engine of the test's own."""

import contextlib
import signal
import time
from collections.abc import Iterator

from tests.faults.own_engine import OwnEngine, own_engine
from tests.faults.parts import stopped_at
from tests.faults.tally import Tally
from tests.faults.world import World, build_world, last_words, state_of, wait_for

LINES = ("before build", "before create", "before commit", "after commit")
HANGS = 45.0  # seconds: longer than a call to the engine may take
PATIENCE = 150.0  # seconds for a push that such calls hold up


@contextlib.contextmanager
def build_on_own_engine(seed: int) -> Iterator[World]:
    """Set up a world on an engine that may be ended."""
    with own_engine() as engine, build_world(seed, own_engine=engine) as world:
        yield world


def engine_ends(world: World, *, quick: bool) -> Tally:
    """Stop, kill and freeze dockerd at lines of a deploy; start it again when the push is over."""
    tally = Tally("dockerd stopped, killed or frozen in a deploy")
    assert world.engine is not None
    for line in LINES[1:2] if quick else LINES:
        for number in (signal.SIGTERM,) if quick else (signal.SIGTERM, signal.SIGKILL):
            with tally.attempt(f"{number.name}, {line}"), world.visitor.resting():
                _end(world, tally, world.engine, number, line)
    if not quick:
        with tally.attempt("SIGSTOP, before create"):
            _freeze(world, tally, world.engine)
    return tally


def _end(world: World, tally: Tally, engine: OwnEngine, number: signal.Signals, line: str) -> None:
    """End the engine, which ends all containers with it, at the latest when it starts again."""
    before, version = world.answer(), world.commit()
    world.trap.set(line, signal.SIGSTOP)
    client = world.push()
    with stopped_at(world.trap, line):
        engine.end(number)
        assert not engine.answers()
        tally.hit()
    try:
        said = client.communicate(timeout=PATIENCE)[1]
    finally:
        engine.start()
    start = time.monotonic()
    assert "Traceback" not in said, said
    world.await_whole()
    tally.seconds.append(time.monotonic() - start)
    assert world.answer() in {before, version}
    assert client.returncode or world.answer() == version, last_words(said)
    world.prove_next_push()


def _freeze(world: World, tally: Tally, engine: OwnEngine) -> None:
    """Let the engine answer nothing for a while: the push fails, requests do not."""
    before = world.answer()
    world.commit()
    world.trap.set("before create", signal.SIGSTOP)
    client = world.push()
    assert engine.process is not None
    with stopped_at(world.trap, "before create"):
        engine.process.send_signal(signal.SIGSTOP)
        pid = engine.process.pid
        wait_for(lambda: state_of(pid) == "T", lambda: "dockerd did not stop", 5)
        tally.hit()
    frozen = time.monotonic()
    try:
        said = client.communicate(timeout=PATIENCE)[1]
        assert client.returncode, "a push succeeded without an engine"
        assert "Docker Engine" in said, last_words(said)
        assert world.answer() == before
        time.sleep(max(0.0, HANGS - (time.monotonic() - frozen)))
    finally:
        engine.process.send_signal(signal.SIGCONT)
    start = time.monotonic()
    world.await_whole()
    tally.seconds.append(time.monotonic() - start)
    assert world.answer() == before
    world.prove_next_push()
