"""kill -9 of paas's other processes in a push: supervisor, background, ssh door."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from tests.faults.network import received
from tests.faults.parts import stopped_at
from tests.faults.tally import Tally
from tests.faults.world import World, children_of, last_words, name_of, state_of, wait_for

PACK = 32 << 20  # bytes that no compression makes smaller
DOOR, CONNECTION = "ssh door", "ssh connection"
MEMBERS = ("paas", "paas-background", DOOR, CONNECTION)
LINES = ("before build", "before commit", "after commit")


def members_killed(world: World, *, quick: bool) -> Tally:
    """Kill each of them while the child of a push waits at a line, and its connection in a pack.

    The ssh door is a listener and a process for each connection: a push needs only the latter.
    """
    tally = Tally("kill -9 of daemon, background process, ssh door or connection in a push")
    for line in LINES[1:2] if quick else LINES:
        for member in MEMBERS:
            with tally.attempt(f"{member}, {line}"):
                _kill_at(world, tally, member, line)
    with tally.attempt(f"{CONNECTION}, in the pack"):
        _kill_in_pack(world, tally)
    return tally


def _kill_at(world: World, tally: Tally, member: str, line: str) -> None:
    version = world.commit()
    world.trap.set(line, signal.SIGSTOP)
    client = world.push()
    with stopped_at(world.trap, line) as child:
        _kill(world, member)
        tally.hit()
        start = time.monotonic()
        assert state_of(child) == "T", "the deploy died with it"
    said = client.communicate(timeout=120)[1]
    if member == "paas":
        world.start_daemon()
    if member in {"paas-background", DOOR}:
        assert client.returncode == 0, last_words(said)
    world.await_whole()
    tally.seconds.append(time.monotonic() - start)
    assert world.answer() == version, "the deploy did not go on without it"
    _await_family(world)
    world.prove_next_push()


def _kill_in_pack(world: World, tally: Tally) -> None:
    before = world.answer()
    [repository] = world.platform.settings.repos.glob("*.git")
    (world.git.tree / "large.bin").write_bytes(os.urandom(PACK))
    version = world.commit()
    client = world.push()
    wait_for(lambda: received(repository) > 0, lambda: "the pack does not come", 60)
    os.killpg(client.pid, signal.SIGSTOP)  # so that there is a middle
    _kill(world, CONNECTION)
    assert received(repository) < PACK, "the pack was there before"
    os.killpg(client.pid, signal.SIGCONT)
    tally.hit()
    start = time.monotonic()
    assert client.communicate(timeout=60)[1]
    world.await_whole()
    tally.seconds.append(time.monotonic() - start)
    assert client.returncode, "a push was accepted whose connection had died"
    assert world.answer() == before
    _await_family(world)
    world.git.push()
    assert world.answer() == version, "the same push, again, does not go live"
    (world.git.tree / "large.bin").unlink()


def _kill(world: World, member: str) -> None:
    pid = _pid_of(world, member)
    assert pid is not None, f"there is no {member}"
    os.kill(pid, signal.SIGKILL)
    if member == "paas":
        assert world.daemon is not None
        world.daemon.wait(10)
    wait_for(lambda: state_of(pid) in {"", "Z"}, lambda: f"{member} lives on", 5)


def _pid_of(world: World, member: str) -> int | None:
    daemon = world.daemon_pid()
    if member == "paas":
        return daemon
    if member == CONNECTION:
        door = _pid_of(world, DOOR)
        return next(iter(children_of(door)), None) if door else None
    found = (pid for pid in children_of(daemon) if member in {name_of(pid), _program(pid)})
    return next(found, None)


def _program(pid: int) -> str:
    with contextlib.suppress(OSError):
        if b"paas.doors.ssh" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return DOOR
    return ""


def _await_family(world: World) -> None:
    """Wait until the supervisor has started what was killed: a door that answers, too."""

    def is_whole() -> bool:
        helpers = [_pid_of(world, name) for name in ("paas-background", DOOR)]
        greeting = ["ssh-keyscan", "-T", "2", "-p", str(world.instance.ssh_port), "127.0.0.1"]
        return all(helpers) and bool(
            subprocess.run(greeting, capture_output=True, check=False, timeout=10).stdout
        )

    wait_for(is_whole, lambda: "a helper was not started again", 60)
