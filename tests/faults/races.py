"""Two pushes to one app, 0 to 500 ms apart: one wins, the other is told, and all agree on which."""

import time

from tests.faults.tally import Missed, Tally
from tests.faults.world import World

APART = 0.5  # seconds at most


def two_pushes(world: World, *, rounds: int) -> Tally:
    """Push two commits with one parent; the instants come from the seed."""
    tally = Tally("two pushes to one app at once")
    trees = [world.instance.app("shop") for _ in range(2)]
    while tally.hits < rounds and len(tally.failures) < rounds:
        pause = world.random.uniform(0, APART)
        with tally.attempt(f"{1000 * pause:.0f} ms apart"):
            versions = []
            for tree in trees:
                tree.git("fetch", "-q", "paas", "master")
                tree.git("reset", "-q", "--hard", "FETCH_HEAD")
                versions.append(world.commit(tree))
            first = world.push(trees[0])
            time.sleep(pause)
            second = world.push(trees[1])
            has_hit = first.poll() is None
            said = [client.communicate(timeout=120)[1] for client in (first, second)]
            if not has_hit:
                raise Missed
            tally.hit()
            winners = [
                v for v, c in zip(versions, (first, second), strict=True) if not c.returncode
            ]
            assert len(winners) == 1, f"{winners} were accepted: {said}"
            [loser] = [text for text, c in zip(said, (first, second), strict=True) if c.returncode]
            assert "fetch first" in loser or "newer push" in loser, loser
            assert world.answer() == winners[0], (
                f"{winners[0]} was accepted, {world.answer()} answers"
            )
            tally.seconds.append(world.await_whole())
    world.git.git("fetch", "-q", "paas", "master")
    world.git.git("reset", "-q", "--hard", "FETCH_HEAD")
    world.prove_next_push()
    return tally
