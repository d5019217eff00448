"""kill -9: at each line, at random instants, of one command or of all of paas."""

import os
import signal
import subprocess
import time

from tests.faults.parts import await_stopped
from tests.faults.tally import Tally
from tests.faults.tripwires import COMMIT_ORDER, RECOVERY, STATES, UNDO
from tests.faults.world import World, last_words, state_of, wait_for

PUSH_SECONDS = 120.0
ALL_DIE = 0.25  # the share of random kills that hit all of paas
BROKEN = "web: echo no; exit 1\n"


def at_each_line(world: World, *, quick: bool) -> Tally:
    """Kill the deploying child right after each state, and at each line of the commit order."""
    tally = Tally("kill -9 of the deploying child at a line")
    lines = [*STATES, *COMMIT_ORDER]
    if quick:
        lines = ["after start", "after half the commit", "after commit", "before set_branch"]
    for line in lines:
        with tally.attempt(line):
            _kill_at(world, tally, line)
    return tally


def at_once_again(world: World, *, quick: bool) -> Tally:
    """Kill at the lines around the commit, and push again before anybody has mended anything."""
    tally = Tally("the same, and the next push at once")
    for line in ("after commit",) if quick else (*STATES[-3:], *COMMIT_ORDER):
        with tally.attempt(line):
            _kill_at(world, tally, line, at_once=True)
    return tally


def in_the_undoing(world: World, *, quick: bool) -> Tally:
    """Kill the child of a deploy that fails, while it takes back what it did."""
    tally = Tally("kill -9 while a failed deploy is undone")
    for line in UNDO[:1] if quick else UNDO:
        with tally.attempt(line):
            before = world.answer()
            world.trap.set(line, signal.SIGKILL)
            world.commit(Procfile=BROKEN)
            killed = _assert_caught(world, tally, _finish(world.push()))
            tally.seconds.append(world.await_whole())
            assert world.answer() == before, f"{killed}: a deploy that failed has changed the app"
            world.prove_next_push()
    return tally


def in_the_recovery(world: World, *, quick: bool) -> Tally:
    """Kill the child after the commit, and then the process that finishes its deploy."""
    tally = Tally("kill -9 of the recovery, too")
    lines = ("after switch", "after keep containers", "after set_branch", "before advance done")
    for line in lines[:1] if quick else lines:
        with tally.attempt(line):
            version = world.commit()
            world.trap.set("after commit", signal.SIGSTOP)
            client = world.push()
            child = await_stopped(world.trap, "after commit")
            world.trap.set(line, signal.SIGKILL, RECOVERY)  # before there is anything to recover
            os.kill(child, signal.SIGKILL)
            said = _finish(client)
            wait_for(lambda: world.trap.caught() is not None, lambda: "nobody recovers")
            _assert_caught(world, tally, said)
            tally.seconds.append(world.await_whole())
            assert world.answer() == version
            world.prove_next_push()
    return tally


def in_a_first_push(world: World, *, quick: bool) -> Tally:
    """Kill the child of an app's first push: before the commit no app is left, after it lives."""
    tally = Tally("kill -9 in an app's first push")
    few = ("after create app", "after deploys.start", "after commit")
    for number, line in enumerate(few if quick else ("after create app", *STATES, *COMMIT_ORDER)):
        with tally.attempt(line):
            tree = world.instance.app(f"first{number}")
            version = world.commit(tree)
            world.trap.set(line, signal.SIGKILL)
            _assert_caught(world, tally, _finish(world.push(tree)))
            tally.seconds.append(_await_settled(world, tree.app))
            app = world.platform.store.apps.find(tree.app)
            lives = app is not None and app.version is not None
            assert world.answer(tree.app) == version if lives else app is None, f"{app} is left"
            assert lives == (line in COMMIT_ORDER[COMMIT_ORDER.index("after commit") :])
            assert tree.push(check=False).returncode == 0, "the same push, again, is refused"
            assert world.answer(tree.app) == version
            world.instance.paas("apps:destroy", tree.app, "--force")
    return tally


def _await_settled(world: World, name: str) -> float:
    def is_settled() -> bool:
        app = world.platform.store.apps.find(name)
        return (app is None or app.version is not None) and not world.litter()

    return wait_for(is_settled, lambda: f"{name} is left; {'; '.join(world.litter())}")


def at_random(world: World, *, rounds: int) -> Tally:
    """Kill the child, or all of paas, at instants that the seed decides, as shares of a push."""
    tally = Tally("kill -9 at a random instant")
    usual = _usual_seconds(world)
    while tally.hits < rounds and len(tally.failures) < rounds:
        share, dies = world.random.uniform(0, 1.1), world.random.random() < ALL_DIE
        victim = "all of paas" if dies else "the child"
        at_once = world.random.random() < 0.5
        before, version = world.live(), world.commit()
        started, client = time.monotonic(), world.push()
        time.sleep(share * usual)
        if not _kill_now(world, client, everything=dies):
            _finish(client)
            usual = 0.8 * usual + 0.2 * (time.monotonic() - started)  # others use this machine
            continue
        with tally.attempt(f"{victim} after {share:.2f} of {usual:.1f} s"):
            tally.hit()
            tally.among[victim] = tally.among.get(victim, 0) + 1
            _finish(client)
            _mend(world, tally, (before, version), at_once=at_once)
    return tally


def _kill_at(world: World, tally: Tally, line: str, *, at_once: bool = False) -> None:
    before, version = world.live(), world.commit()
    world.trap.set(line, signal.SIGKILL)
    _assert_caught(world, tally, _finish(world.push()))
    _mend(world, tally, (before, version), at_once=at_once)


def _mend(world: World, tally: Tally, either: tuple[str, str], *, at_once: bool) -> None:
    """Wait until all is whole, as before or as after, and push again, in this order or at once."""
    if at_once:
        world.prove_next_push()
        tally.seconds.append(world.await_whole())
        return
    tally.seconds.append(world.await_whole())
    assert world.answer() in either, f"{world.answer()!r} answers, not one of {either}"
    world.prove_next_push()


def _assert_caught(world: World, tally: Tally, said: str) -> int:
    pid = world.trap.caught()
    hit = world.trap.clear()
    assert hit, f"nobody came along: {last_words(said)}"
    assert pid is not None
    wait_for(lambda: state_of(pid) in {"", "Z"}, lambda: f"{pid} lives on", patience=5)
    tally.hit()
    return pid


def _kill_now(world: World, client: subprocess.Popen[str], *, everything: bool) -> bool:
    """Kill; return False if there was nothing to kill: the push had not begun, or was over."""
    child = world.request_at_work()
    if client.poll() is not None or (child is None and not everything):
        return False
    if everything:
        world.kill_everything()
        world.start_daemon()
    elif child is not None:
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            return False
    return True


def _finish(client: subprocess.Popen[str]) -> str:
    return client.communicate(timeout=PUSH_SECONDS)[1]


def _usual_seconds(world: World) -> float:
    """Return how long the quickest of three pushes takes."""
    taken = []
    for _ in range(3):
        world.commit()
        start = time.monotonic()
        world.git.push()
        taken.append(time.monotonic() - start)
    return min(taken)
