"""Happy paths of a push, with real git at the other end."""

from tests.git.conftest import Work


def test_a_push_deploys_and_moves_the_branch(work: Work) -> None:
    commit = work.commit(text="print('hi')\n", message="say hi")
    shown = work.push("main")
    (deploy,) = work.host.journal("deploy")
    assert deploy["new"] == commit
    assert (deploy["branch"], deploy["subject"], deploy["files"]) == ("main", "say hi", 1)
    assert deploy["content"] == {"app.py": "print('hi')\n"}
    assert work.host.refs() == {"refs/heads/main": commit, "refs/paas/deploys/12": commit}
    assert "remote: -----> shop: received" in shown
