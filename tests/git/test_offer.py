"""Commits that paas makes of files, or fetches: judged as pushes are, by real git too."""

import io
import shutil
import zlib
from pathlib import Path

import pytest
from dulwich.client import GitClient, LocalGitClient

from paas.errors import Conflict, InvalidName, NotFound, SourceRefused, Unavailable
from paas.git import offer
from paas.git.base import Note, Remote
from paas.git.limits import Limits
from paas.git.remote import open_remote
from paas.git.repos import DulwichRepos
from paas.model import App
from paas.settings import Settings
from paas.source import NewFile
from tests.git import packs
from tests.git.conftest import run_git

APP = App(7, "shop", 1, 0.0)
FILE, LINK = 0o100644, 0o120000
NOTE = Note("Anna <A>", "anna@example.org", "Archive\nof mine")
FILES = (
    NewFile("a.txt", FILE, b"a"),
    NewFile("a/b/c.py", 0o100755, b"print()"),
    NewFile("a0", FILE, b"a"),
    NewFile("link", LINK, b"a/b"),
)


@pytest.fixture(params=["git", "dulwich"])
def repos(request: pytest.FixtureRequest, tmp_path: Path) -> DulwichRepos:
    git = shutil.which("git") if request.param == "git" else None
    return DulwichRepos(Settings(root=tmp_path, disk_reserve=0), git=git)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repos" / "7.git"


def offered(repos: DulwichRepos, *files: NewFile) -> str | None:
    with repos.offer(APP, "main", files, NOTE) as push:
        if push is None:
            return None
        repos.keep(APP, 1, push.new)
    repos.set_branch(APP, "main", push.new)
    return push.new


def test_files_become_a_commit_that_git_finds_sound(repos: DulwichRepos, repository: Path) -> None:
    commit = offered(repos, *FILES)
    assert commit
    assert "error" not in run_git(repository, "fsck", "--full", "--strict", "--no-dangling")
    assert run_git(repository, "ls-tree", "-r", "--name-only", "main").split() == [
        "a.txt",
        "a/b/c.py",
        "a0",
        "link",
    ]
    told = run_git(repository, "log", "-1", "--format=%an|%ae|%s", "main")
    assert told == "Anna A|anna@example.org|Archive of mine"
    assert repos.source(APP, commit).read("link/c.py") == "print()"


def test_the_same_files_again_are_no_new_commit(repos: DulwichRepos, repository: Path) -> None:
    first = offered(repos, *FILES)
    assert offered(repos, *FILES) is None
    second = offered(repos, *FILES[:1])
    assert run_git(repository, "rev-parse", "main^") == first
    assert run_git(repository, "rev-parse", "main") == second


@pytest.mark.parametrize(
    "file",
    [
        NewFile(".git/config", FILE, b""),
        NewFile("out", LINK, b"../../etc"),
        NewFile("root", LINK, b"/etc"),
        NewFile("bad\nname", FILE, b""),
        NewFile("a.txt/b", FILE, b""),
    ],
)
def test_hostile_files_are_refused_and_nothing_stays(
    repos: DulwichRepos, repository: Path, file: NewFile
) -> None:
    with pytest.raises(SourceRefused):
        offered(repos, *FILES, file)
    assert repos.tip(APP, "main") is None
    assert list((repository / "objects" / "pack").iterdir()) == []
    assert list((repository / "quarantine").iterdir()) == []


def test_a_chain_of_deltas_too_deep_is_refused_as_in_a_push(repos: DulwichRepos) -> None:
    objects, content = [packs.whole(3, b"a" * 100)], b"a" * 100
    for size in range(101, 160):
        delta = packs.copy_delta(len(content), size)
        base = bytes.fromhex(packs.identity("blob", content))
        objects.append(packs.head(7, len(delta)) + base + zlib.compress(delta))
        content = b"a" * size
    with repos._desk(APP) as desk, pytest.raises(SourceRefused, match="more than 50 deltas"):
        desk.admit(io.BytesIO(packs.pack(*objects)))


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another host's repository, which the client reads through git's own upload-pack."""
    work = tmp_path / "origin"
    work.mkdir()
    run_git(work, "init", "-q")
    commit(work, "one.txt")

    class Local:
        def __init__(self, remote: Remote, settings: Settings) -> None:
            self.path = str(work)

        def __enter__(self) -> tuple[GitClient, str]:
            return LocalGitClient(), self.path

        def __exit__(self, *_: object) -> None:
            """Nothing is open."""

    monkeypatch.setattr(offer, "open_remote", Local)
    return work


def commit(work: Path, name: str) -> str:
    (work / name).write_text(name)
    run_git(work, "add", "-A")
    run_git(work, "commit", "-q", "-m", name)
    return run_git(work, "rev-parse", "HEAD")


REMOTE = Remote("https://git.example.org/shop.git")


def test_a_branch_is_fetched_with_its_history_and_then_only_what_is_new(
    repos: DulwichRepos, origin: Path, repository: Path
) -> None:
    with repos.fetch(APP, REMOTE, None, None) as push:
        assert (push.branch, push.old, push.files) == ("main", None, 1)
        repos.take(APP, push)
    second = commit(origin, "two.txt")
    with repos.fetch(APP, REMOTE, "main", None) as push:
        assert push.source.has("two.txt")
        repos.take(APP, push)
    assert repos.tip(APP, "main") == second
    assert "error" not in run_git(repository, "fsck", "--full", "--no-dangling")
    assert len(run_git(repository, "log", "--format=%h", "main").split()) == 2
    with repos.fetch(APP, REMOTE, "main", None) as push:
        assert push.new == push.old == second


def test_a_tag_and_a_commit_go_to_the_app_s_own_branch(repos: DulwichRepos, origin: Path) -> None:
    first = run_git(origin, "rev-parse", "HEAD")
    run_git(origin, "tag", "-a", "v1", "-m", "v1")
    commit(origin, "two.txt")
    for ref in ("v1", first):
        with repos.fetch(APP, REMOTE, ref, "live") as push:
            assert (push.branch, push.new) == ("live", first)


def test_what_is_not_taken_leaves_nothing(
    repos: DulwichRepos, origin: Path, repository: Path
) -> None:
    with repos.fetch(APP, REMOTE, None, None):
        pass
    assert list((repository / "objects" / "pack").iterdir()) == []
    with (
        pytest.raises(NotFound, match="no branch or tag nothing"),
        repos.fetch(APP, REMOTE, "nothing", None),
    ):
        pass
    with pytest.raises(InvalidName), repos.fetch(APP, REMOTE, "-x", None):
        pass


def test_more_than_a_push_may_bring_is_refused(tmp_path: Path, origin: Path) -> None:
    repos = DulwichRepos(Settings(root=tmp_path, disk_reserve=0), Limits(pack=100))
    with pytest.raises(SourceRefused, match="more than"), repos.fetch(APP, REMOTE, None, None):
        pass


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x.git",
        "https://[::1]/x.git",
        "https://169.254.169.254/x.git",
        "https://10.0.0.1/x.git",
        "https://localhost:1/x.git",
        "ssh://git@127.0.0.1/x.git",
    ],
)
def test_nothing_inside_is_fetched_from(repos: DulwichRepos, url: str) -> None:
    refused = pytest.raises(Unavailable, match="not a public address")
    with refused, repos.fetch(APP, Remote(url), None, None):
        pass


@pytest.mark.parametrize(
    "url", ["http://example.org/x", "file:///etc", "git://example.org/x", "/x"]
)
def test_other_ways_are_not_opened(url: str) -> None:
    with pytest.raises(InvalidName), open_remote(Remote(url), Settings()):
        pass


def test_cleaning_drops_what_nothing_refers_to(repos: DulwichRepos, repository: Path) -> None:
    big = NewFile("big", FILE, bytes(range(256)) * 4000)
    with repos.offer(APP, "main", (big,), NOTE) as push:
        assert push
        repos.keep(APP, 1, push.new)
    kept = offered(repos, *FILES)
    repos.drop(APP, 1)
    if repos._git is None:
        with pytest.raises(Unavailable):
            repos.collect(APP)
        return
    with repos.offer(APP, "main", FILES[:1], NOTE), pytest.raises(Conflict):
        repos.collect(APP)
    repos.keep(APP, 1, str(kept))
    before, after = repos.collect(APP)
    assert after < before
    assert repos.source(APP, str(kept)).has("a.txt")
    with pytest.raises(NotFound):
        repos.source(APP, push.new)
