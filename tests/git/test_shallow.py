"""Shallow clones, as continuous integration pushes them, and clones of what they left."""

from pathlib import Path

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
