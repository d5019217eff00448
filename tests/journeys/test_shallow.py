"""A CI runner has a shallow clone: it deploys from it, and a full clone fits in later."""

from pathlib import Path

import pytest

from tests.journeys.instance import Instance
from tests.journeys.programs import Git
from tests.journeys.test_first_push import write_version


@pytest.fixture(scope="module")
def origin(paas: Instance) -> Git:
    """The project's own repository, with a history that runners do not fetch."""
    git = paas.app("shop")
    for version in ("one", "two", "three"):
        write_version(git, version)
    return git


def runner(paas: Instance, origin: Git) -> Git:
    """Return what a CI runner has: the newest commit only."""
    git = paas.app("shop")
    git.git("fetch", "-q", "--depth", "1", f"file://{origin.tree}", "master")
    git.git("reset", "-q", "--hard", "FETCH_HEAD")
    assert git.git("rev-list", "--count", "HEAD").stdout.strip() == "1"
    return git


def test_a_shallow_clone_deploys(paas: Instance, origin: Git) -> None:
    said = runner(paas, origin).push("HEAD:master").stderr
    assert "Deployed shop v1" in said
    assert paas.curl("shop").stdout == "three plain"


def test_the_next_shallow_clone_deploys_with_force(paas: Instance, origin: Git) -> None:
    write_version(origin, "four")
    write_version(origin, "five")
    second = runner(paas, origin)
    assert second.push("HEAD:master", check=False).returncode != 0  # it cannot know the old tip
    assert paas.curl("shop").stdout == "three plain"
    assert "Deployed shop v2" in second.push("--force", "HEAD:master").stderr
    assert paas.curl("shop").stdout == "five plain"


def test_a_developer_pushes_the_full_history_over_it(paas: Instance, origin: Git) -> None:
    write_version(origin, "six")
    assert "Deployed shop v3" in origin.push().stderr
    assert paas.curl("shop").stdout == "six plain"


def test_a_clone_is_whole_and_can_be_pushed_from(
    paas: Instance, origin: Git, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    origin.git("clone", "-q", origin.url, str(clone))
    assert "six" in (clone / "app.py").read_text()
    origin.git("-C", str(clone), "fsck", "--strict")
    (clone / "app.py").write_text((clone / "app.py").read_text().replace("six", "seven"))
    origin.git("-C", str(clone), "commit", "-q", "-a", "-m", "seven")
    origin.git("-C", str(clone), "push", "-q", "origin", "master")
    assert paas.curl("shop").stdout == "seven plain"
