"""Shallow clones, as continuous integration pushes them, and clones of what they left."""

from pathlib import Path

import pytest

from tests.git import packs
from tests.git.conftest import Work, run_git


def full_work(work: Work, commits: int = 5) -> Work:
    for number in range(commits):
        work.commit("app.py", f"print({number})\n", f"commit {number}")
    return work


def runner(work: Work, name: str) -> Work:
    """What a CI runner has: the newest commit only."""
    path = work.path.parent / name
    run_git(path.parent, "clone", "-q", "--depth", "1", f"file://{work.path}", str(path))
    return Work(path, work.host)


def count(path: Path) -> int:
    return int(run_git(path, "rev-list", "--count", "main"))


def test_shallow_forced_shallow_full_and_clone(work: Work) -> None:
    full_work(work)
    runner(work, "ci1").push("main")
    assert count(work.host.repository) == 1
    work.commit("app.py", "print('six')\n")
    runner(work, "ci2").push("--force", "main")
    work.commit("app.py", "print('seven')\n")
    work.push("main")
    assert "error" not in run_git(work.host.repository, "fsck", "--full")
    clone = work.host.clone(work.path.parent / "clone")
    assert run_git(clone, "rev-parse", "HEAD") == work.head()
    assert (clone / "app.py").read_text() == "print('seven')\n"
    assert run_git(clone, "fsck", "--full") == ""


def test_a_runner_that_pushes_twice_sends_what_is_new(work: Work) -> None:
    ci = runner(full_work(work), "ci")
    ci.push("main")
    ci.commit("b.py", "b\n")
    ci.push("main")
    assert count(work.host.repository) == 2
    assert len((work.host.repository / "shallow").read_text().split()) == 1


def test_a_commit_whose_parents_are_there_is_no_edge(work: Work) -> None:
    full_work(work)
    work.push("main")
    work.commit("b.py", "b\n")
    path = work.path.parent / "ci"
    run_git(path.parent, "clone", "-q", "--depth", "1", f"file://{work.path}", str(path))
    Work(path, work.host).push("--force", "main")
    assert not (work.host.repository / "shallow").exists()
    assert count(work.host.repository) == 6


def test_a_deep_clone_of_a_shallow_host_ends_at_its_edge(work: Work) -> None:
    ci = runner(full_work(work), "ci")
    ci.push("main")
    ci.commit("b.py", "b\n")
    ci.push("main")
    clone = work.host.clone(work.path.parent / "clone", "--depth", "9")
    assert count(clone) == 2
    shallower = work.host.clone(work.path.parent / "clone1", "--depth", "1")
    assert count(shallower) == 1
    run_git(shallower, "fetch", "-q", "--unshallow", ssh=work.host.ssh)
    assert count(shallower) == 2


def test_a_full_clone_fetches_from_a_shallow_host(work: Work) -> None:
    ci = runner(full_work(work), "ci")
    ci.push("main")
    ci.commit("b.py", "b\n")
    ci.push("main")
    work.git("fetch", "-q", "ssh://paas/shop", "main", status=None)
    run_git(work.path, "fetch", "-q", "--update-shallow", "ssh://paas/shop", ssh=work.host.ssh)
    assert run_git(work.path, "rev-parse", "FETCH_HEAD") == ci.head()
    assert count(work.path) == 5


def test_a_rewritten_full_history_replaces_a_shallow_one(work: Work) -> None:
    full_work(work)
    runner(work, "ci").push("main")
    work.git("reset", "-q", "--hard", "HEAD~2")
    other = work.commit("c.py", "c\n")
    shown = work.push("--force", "main", status=1)
    assert "Push the same once more" in shown
    work.push("--force", "main")
    assert work.host.refs()["refs/heads/main"] == other
    assert count(work.host.clone(work.path.parent / "clone")) == 4
    assert not (work.host.repository / "again").exists()


@pytest.mark.parametrize(
    ("ref", "at"),
    [
        ("HEAD~1:refs/heads/main", "HEAD~1"),
        ("HEAD~2:refs/heads/feature", "HEAD~2"),
        ("refs/tags/light", "HEAD~3"),
        ("refs/tags/heavy", "heavy"),
    ],
)
def test_an_older_commit_than_a_shallow_push_brought_comes_at_the_second_try(
    work: Work, ref: str, at: str
) -> None:
    full_work(work)
    runner(work, "ci").push("main")
    work.git("tag", "light", "HEAD~3")
    work.git("tag", "-a", "-m", "x", "heavy", "HEAD~3")
    shown = work.push("--force", ref, status=1)
    assert "is missing)" in shown
    assert "Push the same once more" in shown
    work.push("--force", ref)
    assert work.host.refs()[ref.partition(":")[2] or ref] == work.git("rev-parse", at)
    assert "error" not in run_git(work.host.repository, "fsck", "--full")
    assert not (work.host.repository / "again").exists()
    assert "Everything up-to-date" in work.push("--force", ref)


def test_what_comes_along_with_a_missing_commit_does_not_end_its_second_try(work: Work) -> None:
    full_work(work)
    runner(work, "ci").push("main")
    work.git("tag", "old", "HEAD~3")
    work.git("tag", "new")
    work.push("old", "new", status=1)
    assert "refs/tags/new" in work.host.refs()
    work.push("old", "new")
    assert work.host.refs()["refs/tags/old"] == work.git("rev-parse", "old")


def test_a_commit_that_no_shallow_push_left_out_is_not_asked_for(work: Work) -> None:
    work.commit()
    work.push("main")
    _, text = work.host.talk(packs.request("1" * 40, packs.pack(), ref="refs/heads/other"))
    assert b"is missing" in text
    assert b"once more" not in text
    assert not (work.host.repository / "again").exists()


def test_after_a_refusal_only_the_refused_commit_may_replace_the_shallow_one(work: Work) -> None:
    full_work(work)
    runner(work, "ci").push("main")
    before = work.head()
    work.git("reset", "-q", "--hard", "HEAD~2")
    work.commit("c.py", "c\n")
    work.push("--force", "main", status=1)
    work.commit("d.py", "d\n")
    assert "(fetch first)" in work.push("main", status=1)
    assert work.host.refs()["refs/heads/main"] == before


def test_a_fetch_brings_only_what_is_new(work: Work) -> None:
    full_work(work)
    work.push("main")
    clone = work.host.clone(work.path.parent / "clone")
    newest = work.commit("n.py", "n\n")
    work.push("main")
    run_git(clone, "pull", "-q", ssh=work.host.ssh)
    assert run_git(clone, "rev-parse", "HEAD") == newest


def test_a_hidden_commit_cannot_be_fetched(work: Work) -> None:
    old = full_work(work).head()
    work.push("main")
    work.git("commit", "-q", "--amend", "-m", "secret removed")
    work.push("--force", "main")
    clone = work.host.clone(work.path.parent / "clone")
    assert run_git(clone, "cat-file", "-t", old, status=None) != "commit"
    shown = run_git(clone, "fetch", "ssh://paas/shop", old, ssh=work.host.ssh, status=1)
    assert "unadvertised object" in shown
