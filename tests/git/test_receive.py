"""What a push does to refs, with real git at the other end."""

from pathlib import Path

import pytest

from tests.git.conftest import URL, Host, Work, run_git


def second_developer(work: Work, name: str = "other") -> Work:
    """A clone of what is on the host."""
    return Work(work.host.clone(work.path.parent / name), work.host)


def test_a_push_deploys_and_moves_the_branch(work: Work) -> None:
    commit = work.commit(text="print('hi')\n", message="say hi")
    shown = work.push("main")
    (deploy,) = work.host.journal("deploy")
    assert deploy["new"] == commit
    assert (deploy["branch"], deploy["subject"], deploy["files"]) == ("main", "say hi", 1)
    assert deploy["content"] == {"app.py": "print('hi')\n"}
    assert work.host.refs() == {"refs/heads/main": commit, "refs/paas/deploys/12": commit}
    assert "remote: -----> shop: received" in shown


def test_the_source_reads_the_same_after_the_commit_point(work: Work) -> None:
    work.commit()
    work.push("main")
    assert work.host.journal("deployed") == [{"call": "deployed", "same": True}]
    assert work.host.quarantines() == []


def test_a_second_push_sends_a_thin_pack_and_deploys(work: Work) -> None:
    work.commit("long.txt", "".join(f"line {n}\n" for n in range(2000)))
    work.push("main")
    work.commit("long.txt", "".join(f"line {n}\n" for n in range(2001)))
    work.push("main")
    assert len(work.host.journal("deploy")) == 2
    assert "error" not in run_git(work.host.repository, "fsck", "--full")


def test_a_failed_deploy_changes_nothing_and_can_be_pushed_again(work: Work) -> None:
    first = work.commit()
    work.push("main")
    second = work.commit(text="print(2)\n")
    work.host.plan["deploy"] = "fail"
    shown = work.push("main", status=1)
    assert work.host.refs()["refs/heads/main"] == first
    assert work.host.quarantines() == []
    assert run_git(work.host.repository, "cat-file", "-t", second, status=None) != "commit"
    assert "[remote rejected] main -> main (no buildpack matches xxx" in shown
    work.host.plan["deploy"] = "ok"
    work.push("main")
    assert work.host.refs()["refs/heads/main"] == second


def test_the_reason_of_a_failure_is_one_plain_line(work: Work) -> None:
    work.commit()
    work.host.plan["deploy"] = "fail"
    (reason,) = (s for s in work.push("main", status=1).splitlines() if "remote rejected" in s)
    assert "\x1b" not in reason
    assert len(reason.partition("(")[2]) <= 201


def test_a_failed_deploy_is_shown_by_the_deploy_alone(work: Work) -> None:
    work.commit()
    work.host.plan["deploy"] = "fail"
    assert "See the docs" not in work.push("main", status=1)


def test_a_failure_reaches_the_owner_of_the_lock(work: Work) -> None:
    work.commit()
    work.host.plan["deploy"] = "fail"
    work.push("main", status=1)
    assert work.host.journal("lock failed")


def test_a_bug_in_the_deploy_is_answered_and_the_ref_stays(work: Work) -> None:
    work.commit()
    work.host.plan["deploy"] = "crash"
    shown = work.push("main", status=1)
    assert "[remote rejected] main -> main (internal error, see the log of the host)" in shown
    assert work.host.refs() == {}


def test_a_deploy_killed_before_the_commit_point_leaves_only_what_sweep_removes(
    work: Work,
) -> None:
    work.commit()
    work.host.plan["deploy"] = "kill"
    work.push("main", status=None)
    assert len(work.host.quarantines()) == 1
    work.host.sweep()
    assert work.host.quarantines() == []
    work.host.plan["deploy"] = "ok"
    work.push("main")


def test_a_lock_that_is_refused_says_so(work: Work) -> None:
    work.commit()
    work.host.plan["lock"] = "refuse"
    shown = work.push("main", status=1)
    assert "(A newer push to this app took this one's place in the queue)" in shown
    assert work.host.journal("deploy") == []


def test_master_deploys_where_it_is_pushed_first(work: Work) -> None:
    work.commit()
    work.push("main:master")
    assert work.host.journal("deploy")[0]["branch"] == "master"
    assert run_git(work.host.repository, "symbolic-ref", "HEAD") == "refs/heads/master"


def test_another_branch_is_stored_with_a_warning(work: Work) -> None:
    commit = work.commit()
    work.host.plan["branch"] = "production"
    shown = work.push("main")
    assert work.host.journal("deploy") == []
    assert work.host.refs() == {"refs/heads/main": commit}
    assert "main stored, nothing was deployed: production deploys" in shown


def test_a_tag_alone_is_stored_and_never_deployed(work: Work) -> None:
    work.commit()
    run_git(work.path, "tag", "v1.0")
    assert "nothing was deployed" in work.push("v1.0")
    assert work.host.journal("deploy") == []


def test_the_set_branch_deploys(work: Work) -> None:
    work.commit()
    work.host.plan["branch"] = "production"
    work.push("main:production")
    assert work.host.journal("deploy")[0]["branch"] == "production"


def test_several_refs_are_answered_each(work: Work) -> None:
    work.commit()
    work.git("tag", "-a", "v1", "-m", "one")
    work.git("branch", "feature")
    shown = work.push("main", "feature", "v1", "main:refs/notes/x", status=1)
    assert {"refs/heads/main", "refs/heads/feature", "refs/tags/v1"} <= work.host.refs().keys()
    assert "main -> refs/notes/x (only branches and tags can be pushed)" in shown
    assert len(work.host.journal("deploy")) == 1


def test_when_the_deploy_fails_its_companions_are_not_stored(work: Work) -> None:
    work.commit()
    work.git("tag", "v1")
    work.host.plan["deploy"] = "fail"
    work.push("main", "v1", status=1)
    assert work.host.refs() == {}


def test_the_branch_that_deploys_cannot_be_deleted(work: Work) -> None:
    commit = work.commit()
    work.push("main")
    work.host.plan["branch"] = "main"
    shown = work.push(":main", status=1)
    assert "main is the branch that deploys: it cannot be deleted" in shown
    assert work.host.refs()["refs/heads/main"] == commit


def test_another_branch_can_be_deleted(work: Work) -> None:
    work.commit()
    work.push("main", "main:old")
    work.host.plan["branch"] = "main"
    work.push(":old")
    assert "refs/heads/old" not in work.host.refs()


@pytest.mark.parametrize("ref", ["refs/paas/deploys/1", "refs/heads/-x", "refs/pull/1"])
def test_a_ref_outside_branches_and_tags_is_refused(work: Work, ref: str) -> None:
    work.commit()
    shown = work.push(f"main:{ref}", status=1)
    assert "rejected" in shown
    assert work.host.refs() == {}


def test_a_branch_in_the_way_of_another_is_answered(work: Work) -> None:
    work.commit()
    work.push("main", "main:topic")
    shown = work.push("main:topic/one", status=1)
    assert "refs/heads/topic is in the way" in shown


def test_a_branch_may_take_the_place_of_one_that_the_same_push_deletes(work: Work) -> None:
    work.commit()
    work.push("main", "main:topic")
    work.push("main:topic/one", ":topic")
    assert work.host.refs()["refs/heads/topic/one"] == work.head()
    work.push("main:topic", ":topic/one")
    assert {"refs/heads/main", "refs/heads/topic"} == {
        ref for ref in work.host.refs() if ref.startswith("refs/heads/")
    }


def test_what_deploys_waits_until_the_branch_in_its_way_is_gone(work: Work) -> None:
    work.commit()
    work.push("main:refs/heads/main/old")
    shown = work.push("main", ":refs/heads/main/old", status=1)
    assert "refs/heads/main/old is in the way" in shown
    assert work.host.journal("deploy") == []
    work.push("main")


def test_hidden_refs_are_not_advertised(work: Work) -> None:
    work.commit()
    work.push("main")
    listed = run_git(work.path, "ls-remote", URL, ssh=work.host.ssh)
    assert "refs/heads/main" in listed
    assert "refs/paas" not in listed


def test_a_push_over_a_ref_that_moved_is_told_to_fetch_first(work: Work, tmp_path: Path) -> None:
    work.commit()
    work.push("main")
    other = second_developer(work)
    gate = tmp_path / "gate"
    work.host.plan["deploy"] = f"wait:{gate}"
    other.commit("b.py", "b\n")
    running = other.start_push("main")
    work.host.wait_for("waiting")
    work.host.plan["deploy"] = "ok"
    work.commit("c.py", "c\n")
    late = work.start_push("--force", "main")  # saw the same value
    late.wait_for("waiting")  # for the lock
    gate.touch()
    assert running.finish()[0] == 0
    status, text = late.finish()
    assert status == 1
    assert "(fetch first)" in text
    assert work.host.refs()["refs/heads/main"] == other.head()


def test_a_descendant_of_what_came_in_between_is_accepted(work: Work, tmp_path: Path) -> None:
    work.commit()
    work.push("main")
    gate = tmp_path / "gate"
    work.host.plan["deploy"] = f"wait:{gate}"
    work.commit("b.py", "b\n")
    running = work.start_push("main")
    work.host.wait_for("waiting")
    work.host.plan["deploy"] = "ok"
    newest = work.commit("c.py", "c\n")
    late = work.start_push("main")
    work.host.wait_for("start", times=3)
    gate.touch()
    assert (running.finish()[0], late.finish()[0]) == (0, 0)
    assert work.host.refs()["refs/heads/main"] == newest


def test_a_forced_push_replaces_what_it_saw(work: Work) -> None:
    first = work.commit()
    work.push("main")
    work.git("commit", "-q", "--amend", "-m", "again")
    assert "rejected" in work.push("main", status=1)
    work.push("--force", "main")
    assert work.host.refs()["refs/heads/main"] == work.head() != first


def test_a_push_that_does_not_wait_returns_before_its_deploy_and_the_branch_moves_after_it(
    work: Work, tmp_path: Path
) -> None:
    commit, gate = work.commit(), tmp_path / "gate"
    work.host.plan["deploy"] = f"wait:{gate}"
    work.push("-o", "no-wait", "main")
    work.host.wait_for("waiting")
    assert "refs/heads/main" not in work.host.refs()
    gate.touch()
    work.host.wait_for("end")
    assert work.host.refs()["refs/heads/main"] == commit
    assert work.host.quarantines() == []


def test_the_same_commit_can_be_pushed_again_when_nobody_waited_for_its_failure(
    work: Work,
) -> None:
    commit = work.commit()
    work.host.plan["deploy"] = "fail"
    work.push("-o", "no-wait", "main")
    work.host.wait_for("end")
    assert work.host.refs() == {}
    work.host.plan["deploy"] = "ok"
    assert "Everything up-to-date" not in work.push("main")
    assert work.host.refs()["refs/heads/main"] == commit


def test_what_can_be_refused_is_refused_before_a_client_that_does_not_wait_leaves(
    work: Work,
) -> None:
    work.commit()
    work.push("main:refs/heads/main/old")
    shown = work.push("-o", "no-wait", "main", status=1)
    assert "refs/heads/main/old is in the way" in shown
    assert work.host.journal("deploy") == []


def test_push_options_arrive_and_unknown_ones_are_named(work: Work) -> None:
    work.commit()
    shown = work.push("-o", "no-cache", "-o", "colour=\x1b[2J", "main")
    assert work.host.journal("deploy")[0]["options"] == [True, False]
    assert "Unknown push option 'colour='; known are no-cache, verbose, no-wait" in shown


def test_an_atomic_push_is_refused_by_the_client(work: Work) -> None:
    work.commit()
    assert "does not support --atomic" in work.push("--atomic", "main", status=None)


def test_the_same_commit_on_another_branch_needs_no_objects(work: Work) -> None:
    work.commit()
    work.host.plan["branch"] = "production"
    work.push("main")
    work.push("main:production")
    assert work.host.journal("deploy")[0]["content"] == {"app.py": "print(1)\n"}


def test_a_submodule_is_left_empty_with_a_warning(work: Work) -> None:
    work.commit()
    work.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/lib")
    work.git("commit", "-q", "-m", "submodule")
    shown = work.push("main")
    assert "The submodule vendor/lib is left empty" in shown
    assert work.host.journal("deploy")[0]["files"] == 1


def test_a_full_disk_is_told_before_anything_is_sent(work: Work) -> None:
    work.commit()
    work.host.plan["settings"] = {"disk_reserve": 1 << 60}
    shown = work.push("main", status=None)
    # The rule is min(reserve, 15 %): a host with more free space than that takes the push.
    assert ("The disk is nearly full" in shown) != bool(work.host.journal("deploy"))


def test_large_histories_are_announced(work: Work) -> None:
    for number in range(2100):
        (work.path / f"{number}.txt").write_text(f"{number}\n")
    work.commit()
    shown = work.push("main")
    assert "-----> Checking 2,103 objects" in shown
    assert work.host.journal("deploy")[0]["files"] == 2101


def test_a_host_without_pushes_gives_an_empty_clone(host: Host, tmp_path: Path) -> None:
    clone = host.clone(tmp_path / "empty")
    assert run_git(clone, "for-each-ref") == ""


def test_a_branch_that_could_not_be_written_is_refused_before_it_deploys(work: Work) -> None:
    work.commit()
    work.push("main:refs/heads/main/x")
    shown = work.push("main", status=1)
    assert "refs/heads/main/x is in the way" in shown
    assert work.host.journal("deploy") == []
    work.push(":refs/heads/main/x")
    work.push("main")
    assert "is in the way" in work.push("main:refs/heads/main/y", status=1)
