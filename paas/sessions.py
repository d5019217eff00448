"""Ending what somebody has open, when the key or the right to it is taken away.

The door that paas runs ends the key's connections by itself: it reads authorized_keys every second.
Commands at work are ended here, whichever door they came through. What outlives its client (a
deploy whose pack has arrived, a destroy) goes on to its end: half of it would be worse.
"""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from paas import workers
from paas.model import Actor, SshKey
from paas.platform import Platform

# Commands at the same time of one ssh key, and of one person with all keys and all tokens that the
# person has made: a quarter of all that the daemon runs.
PLACES = 50


@contextmanager
def hold_places(platform: Platform, actor: Actor) -> Iterator[None]:
    """Count a command among those of its key and of who answers for it. Raises Conflict."""
    assert actor.fingerprint  # noqa: S101 - root on the host has none, and is not counted
    person = actor.user or actor.maker
    with (
        platform.locks.place(actor.fingerprint, PLACES),
        platform.locks.place(f"of {person}", PLACES),
    ):
        yield


def end_commands(platform: Platform, keys: Iterable[SshKey]) -> None:
    """Hang up the commands of these keys that are at work, but not the calling one."""
    for key in keys:
        for pid in platform.locks.at_work(key.fingerprint, PLACES):
            started = workers.started_at(pid)
            # Looked up again: the pid may have become another process between the two looks.
            if started is not None and pid in platform.locks.at_work(key.fingerprint, PLACES):
                workers.interrupt(pid, started, signal.SIGHUP)
