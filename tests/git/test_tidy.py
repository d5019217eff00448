"""Many pushes leave few packs."""

from contextlib import closing

import pytest

from paas.git.quarantine import Quarantine
from tests.git.conftest import Work, run_git


def pack_count(work: Work) -> int:
    return len(list((work.host.repository / "objects" / "pack").glob("*.pack")))


def test_sweep_joins_many_packs_and_loses_nothing(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paas.git.tidy.MANY", 6)
    for number in range(6):
        work.commit(f"{number}.txt", f"{number}\n")
        work.push("--force", "main")
    hidden = work.head()
    work.git("reset", "-q", "--hard", "HEAD~3")
    source = work.host.repos().source(work.host.app, hidden)
    work.host.sweep()
    assert pack_count(work) < 6
    assert not (work.host.repository / "info" / "refs").exists()
    assert "error" not in run_git(work.host.repository, "fsck", "--full", "--no-dangling")
    assert source.read("5.txt") == "5\n"
    work.commit("new.txt", "new\n")
    work.push("--force", "main")
    assert work.host.repos().source(work.host.app, work.head()).has("new.txt")


def test_sweep_leaves_the_packs_alone_while_a_push_is_at_work(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paas.git.tidy.MANY", 1)
    for number in range(3):
        work.commit(f"{number}.txt", f"{number}\n")
        work.push("main")
    before = sorted((work.host.repository / "objects" / "pack").iterdir())
    with closing(Quarantine(work.host.repository)):
        work.host.sweep()
    assert sorted((work.host.repository / "objects" / "pack").iterdir()) == before
