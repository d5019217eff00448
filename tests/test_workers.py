import os
import signal
import subprocess
import time

from paas import workers


def test_a_process_is_named_by_pid_and_start() -> None:
    started = workers.started_at(os.getpid())
    assert started is not None
    assert workers.is_alive(os.getpid(), started)
    assert not workers.is_alive(os.getpid(), started + 1)
    assert not workers.is_alive(None, None)


def test_a_process_that_has_ended_is_not_alive_even_before_it_is_reaped() -> None:
    sleeper = subprocess.Popen(["sleep", "60"])
    started = workers.started_at(sleeper.pid)
    sleeper.kill()
    while workers.is_alive(sleeper.pid, started):
        time.sleep(0.01)
    sleeper.wait()
    assert workers.started_at(sleeper.pid) is None


def test_exactly_the_named_process_is_interrupted() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        started = workers.started_at(sleeper.pid)
        assert started is not None
        workers.interrupt(sleeper.pid, started - 1)
        assert sleeper.poll() is None
        workers.interrupt(sleeper.pid, started)
        assert sleeper.wait(10) == -signal.SIGTERM
    workers.interrupt(sleeper.pid, started)


def test_no_signal_tears_what_is_shielded() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with workers.shielded():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == before
