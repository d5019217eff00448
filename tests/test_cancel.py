"""Cancelling: the working process is woken, undoes itself, and never goes live afterwards."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from paas import cancel
from paas.errors import Conflict
from paas.model import Actor, Deploy, DeployState
from tests.world import ANNA, World, make_world

BEN = Actor("ben")
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as world:
        assert world.push() == "ok"
        yield world


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def start_push(live: World, *, deaf: bool = False) -> BaseProcess:
    """Push in a process of its own, which hangs in its build; a deaf one ignores signals."""

    def work() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN if deaf else interrupted)
        live.builder.gate.clear()
        answer = live.push(procfile="web: new")
        (live.settings.root / "answer").write_text(answer)
        os._exit(0)

    process = FORK.Process(target=work)
    process.start()
    return process


def at_work(live: World) -> Deploy:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = [d for d in live.store.deploys.unfinished() if d.state is DeployState.BUILDING]
        if found:
            return found[0]
        time.sleep(0.02)
    raise AssertionError("no deploy builds")


def test_a_deploy_that_builds_is_woken_and_undoes_itself(live: World) -> None:
    worker = start_push(live)
    ended = cancel.cancel(live.platform, at_work(live), BEN)
    worker.join(20)
    assert (ended.state, ended.cancelled_by) == (DeployState.CANCELLED, "ben")
    answer = (live.settings.root / "answer").read_text()
    assert answer == "ng Cancelled by ben before anything changed; v1 still live"
    assert live.app().version == 1
    log = (live.settings.logs / "deploys" / f"{ended.id}.log").read_text()
    assert "Not deployed. v1 is still serving" in log


def test_a_deploy_whose_process_has_died_is_undone_in_its_place(live: World) -> None:
    worker = start_push(live)
    record = at_work(live)
    os.kill(worker.pid or 0, signal.SIGKILL)
    ended = cancel.cancel(live.platform, record, BEN)
    worker.join(20)
    assert ended.state is DeployState.CANCELLED


def test_a_deploy_that_hears_nothing_is_not_let_past_its_commit_point(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancel, "PATIENCE", 0.3)
    worker = start_push(live, deaf=True)
    record = at_work(live)
    with pytest.raises(Exception, match="is asked to stop"):
        cancel.cancel(live.platform, record, BEN)
    assert worker.pid
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(20)
    with pytest.raises(Exception, match="cancelled by ben"):
        live.store.deploys.advance(record.id, DeployState.BUILT)


def test_a_deploy_that_is_over_cannot_be_cancelled(live: World) -> None:
    [done] = live.store.deploys.list()
    with pytest.raises(Conflict, match="it is done") as caught:
        cancel.cancel(live.platform, done, BEN)
    assert "releases:rollback shop" in caught.value.hint
    live.push(procfile="web: newer")  # to go back from this would take back something else
    with pytest.raises(Conflict, match="it is done") as caught:
        cancel.cancel(live.platform, done, BEN)
    assert "deploys:list shop" in caught.value.hint


def test_a_deploy_that_is_live_and_runs_its_postdeploy_says_so(live: World) -> None:
    record = live.store.deploys.start(live.app().id, ANNA, "push", None, None)
    for state in (DeployState.HEALTHY, DeployState.SWITCHED):
        live.store.deploys.advance(record.id, state)
    with pytest.raises(Conflict, match="is live, and a postdeploy") as caught:
        cancel.cancel(live.platform, record, BEN)
    assert "releases:rollback shop" in caught.value.hint


def test_a_pid_that_is_used_again_is_never_signalled(live: World) -> None:
    record = live.store.deploys.start(live.app().id, ANNA, "push", None, None)
    bystander = FORK.Process(target=time.sleep, args=(60,))
    bystander.start()
    stranger = Deploy(**{**vars(record), "pid": bystander.pid, "pid_started": 1})
    assert cancel.cancel(live.platform, stranger, BEN).state is DeployState.CANCELLED
    assert bystander.is_alive()
    bystander.kill()
    bystander.join()
