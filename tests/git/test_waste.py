"""What was pushed and then given up is dropped by itself, and bounded meanwhile."""

import os
import random
import shutil
import time
from contextlib import closing
from pathlib import Path

import pytest

from paas.errors import NotFound
from paas.git import waste
from paas.git.limits import KB, MB
from paas.git.quarantine import Quarantine
from paas.git.repack import size_of
from tests.git.conftest import Work, run_git

COUNTING = """#!/bin/sh
echo "$@" >> "$GIT_DIR/calls"
exec {git} "$@"
"""

with_git = pytest.mark.parametrize("host", ["git"], indirect=True)


@pytest.fixture(name="wasteful")
def push_and_drop(work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Work:
    """A host with git; 3 MB were pushed as a branch that was then deleted."""
    git = tmp_path / "git"
    git.write_text(COUNTING.format(git=shutil.which("git")))
    git.chmod(0o755)
    work.host.plan["git"] = str(git)
    monkeypatch.setattr(waste, "LITTLE", MB)
    work.commit("app.py", "kept\n")
    work.push("main")
    work.commit("big", random.Random(1).randbytes(3 * MB // 2).hex())
    work.push("HEAD:refs/heads/idea")
    work.push(":refs/heads/idea")
    return work


def calls(work: Work, word: str) -> int:
    file = work.host.repository / "calls"
    lines = file.read_text().splitlines() if file.exists() else []
    return sum(word in line for line in lines)


def let_a_day_pass(work: Work) -> None:
    yesterday = time.time() - 25 * 3600
    os.utime(work.host.repository / "looked-for-waste", (yesterday, yesterday))


@with_git
def test_a_branch_that_was_deleted_is_dropped(wasteful: Work) -> None:
    dropped = wasteful.head()
    assert size_of(wasteful.host.repository) > MB
    wasteful.host.repos().collect_waste()
    assert size_of(wasteful.host.repository) < 100 * KB
    with pytest.raises(NotFound):
        wasteful.host.repos().source(wasteful.host.app, dropped)
    assert "error" not in run_git(wasteful.host.repository, "fsck", "--full")
    wasteful.push("HEAD:refs/heads/main")
    assert wasteful.host.refs()["refs/heads/main"] == dropped


@with_git
def test_each_repository_is_looked_at_once_a_day(wasteful: Work) -> None:
    wasteful.host.repos().collect_waste()
    wasteful.push("HEAD:refs/heads/idea")
    wasteful.push(":refs/heads/idea")
    wasteful.host.repos().collect_waste()
    assert calls(wasteful, "rev-list") == 1
    let_a_day_pass(wasteful)
    wasteful.host.repos().collect_waste()
    assert (calls(wasteful, "rev-list"), calls(wasteful, "repack")) == (2, 2)


@with_git
def test_where_nothing_has_changed_nothing_is_measured(wasteful: Work) -> None:
    for _ in range(3):
        wasteful.host.repos().collect_waste()
        let_a_day_pass(wasteful)
    assert calls(wasteful, "rev-list") == 1


@with_git
def test_what_is_kept_for_rollbacks_is_no_waste(wasteful: Work) -> None:
    kept = wasteful.head()
    wasteful.push("HEAD:refs/heads/idea")
    wasteful.host.repos().keep(wasteful.host.app, 5, kept)
    wasteful.push(":refs/heads/idea")
    wasteful.host.repos().collect_waste()
    assert calls(wasteful, "repack") == 0
    assert wasteful.host.repos().source(wasteful.host.app, kept).has("big")


@with_git
def test_a_little_waste_stays(wasteful: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waste, "LITTLE", 10 * MB)
    wasteful.host.repos().collect_waste()
    assert (calls(wasteful, "rev-list"), calls(wasteful, "repack")) == (1, 0)


@with_git
def test_while_a_push_is_at_work_it_is_put_off_for_an_hour_only(wasteful: Work) -> None:
    with closing(Quarantine(wasteful.host.repository)):
        wasteful.host.repos().collect_waste()
    assert calls(wasteful, "rev-list") == 0
    wasteful.host.repos().collect_waste()
    assert calls(wasteful, "repack") == 1


def test_a_repository_takes_no_more_than_it_may_have(work: Work) -> None:
    work.host.plan["settings"] = {"max_repository": MB}
    work.commit("big", random.Random(1).randbytes(MB).hex())
    work.push("HEAD:refs/heads/idea")
    work.commit("app.py", "x")
    shown = work.push("main", status=1)
    assert "(The repository has 1 MB; 1 MB are allowed)" in shown
    assert "repo:gc APP" in shown
    assert "raise max_repository in paas.toml" in shown
    assert work.host.quarantines() == []


def test_a_full_repository_still_lets_go_of_branches(work: Work) -> None:
    work.host.plan["settings"] = {"max_repository": MB}
    work.commit("big", random.Random(1).randbytes(MB).hex())
    work.push("HEAD:refs/heads/idea")
    work.push(":refs/heads/idea")
    assert work.host.refs() == {}
    if work.host.plan["git"]:
        work.host.repos().collect(work.host.app)
        work.git("rm", "-q", "--cached", "big")
        work.push("HEAD:refs/heads/other")
