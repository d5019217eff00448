import errno
import os
import signal
import threading
from pathlib import Path

import pytest

from paas.errors import Conflict
from paas.locks import Holder, Locks


def hold(locks: Locks, reader: int, writer: int) -> int:
    """Hold app 1's lock in a child process until the pipe is closed; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    os.close(reader)
    with locks.app(1, "anna", "push"):
        os.write(writer, b"x")
        signal.pause()
    os._exit(0)


@pytest.fixture
def locks(tmp_path: Path) -> Locks:
    return Locks(tmp_path, patience=0.1)


def test_a_held_lock_says_who_works(locks: Locks) -> None:
    reader, writer = os.pipe()
    pid = hold(locks, reader, writer)
    os.read(reader, 1)
    with pytest.raises(Conflict, match="push by anna"), locks.app(1, "ben", "ps:restart"):
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_lock_that_is_let_go_of_in_time_is_waited_for(locks: Locks, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    pid = hold(locks, reader, writer)
    os.read(reader, 1)
    threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)).start()
    with Locks(tmp_path, patience=30).app(1, "ben", "ps:restart"):
        assert os.waitpid(pid, os.WNOHANG)[0] == pid


def test_a_full_disk_keeps_nobody_from_a_lock(
    locks: Locks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", refuse)
    with locks.app(1, "anna", "ps:stop"):
        holder = locks.holder(1)
    assert holder is not None
    assert holder.actor == "somebody"


def test_a_lock_dies_with_its_holder(locks: Locks) -> None:
    reader, writer = os.pipe()
    pid = hold(locks, reader, writer)
    os.read(reader, 1)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with locks.app(1, "ben", "push"):
        pass
    assert locks.holder(1) is None


def test_locks_of_different_apps_do_not_meet(locks: Locks) -> None:
    with locks.app(1, "anna", "push"), locks.app(2, "ben", "push"):
        pass


def test_of_two_waiters_the_newest_wins_and_the_other_is_told(locks: Locks) -> None:
    reader, writer = os.pipe()
    pid = hold(locks, reader, writer)
    os.read(reader, 1)
    outcomes: dict[str, str] = {}
    told: list[Holder] = []
    waiting = {name: threading.Event() for name in ("first", "second")}

    def wait(name: str) -> None:
        def note(holder: Holder) -> None:
            told.append(holder)
            waiting[name].set()

        try:
            with locks.app(1, name, "push", waiting=note, patience=0):
                outcomes[name] = "deployed"
        except Conflict as error:
            outcomes[name] = error.message

    threads = []
    for name in ("first", "second"):
        threads.append(threading.Thread(target=wait, args=(name,)))
        threads[-1].start()
        waiting[name].wait(10)
    threads[0].join(10)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    threads[1].join(10)
    assert outcomes["second"] == "deployed"
    lost = "A newer push to this app, by second, took this one's place in the queue"
    assert outcomes["first"].startswith(f"{lost}; at work is the push by anna, started")
    assert told[0].actor == "anna"


def test_the_commands_of_a_key_share_so_many_places(locks: Locks) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        with locks.place("anna", 1):
            os.write(writer, b"x")
            signal.pause()
    os.read(reader, 1)
    with pytest.raises(Conflict, match="1 commands of this key"), locks.place("anna", 1):
        pass
    assert (locks.at_work("anna", 2), locks.at_work("ben", 2)) == ((pid,), ())
    with locks.place("ben", 1), locks.place("anna", 2):
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert locks.at_work("anna", 2) == ()
    with locks.place("anna", 1):
        pass
