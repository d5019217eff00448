"""A pushed tree as a Source."""

from pathlib import Path

import pytest

from paas.errors import NotFound
from paas.source import Source
from tests.git.conftest import Work, run_git


@pytest.fixture
def source(work: Work) -> Source:
    for name in ("app.py", "a/b/deep.py", "a/x.txt", "a.txt", "weird [1].md"):
        path = work.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"this is {name}\n")
    (work.path / "run.sh").write_text("#!/bin/sh\n")
    (work.path / "run.sh").chmod(0o755)
    for link, target in {
        "link": "a/b/deep.py",
        "folder": "a",
        "dangling": "nowhere",
        "loop": "loop",
        "via": "folder/b/deep.py",
    }.items():
        (work.path / link).symlink_to(target)
    (work.path / "binary").write_bytes(b"\xff\x00ok")
    work.commit("app.py", "this is app.py\n")
    work.push("main")
    return work.host.repos().source(work.host.app, work.head())


def test_entries_are_those_of_git_in_path_order(source: Source, work: Work) -> None:
    listed = run_git(work.path, "ls-tree", "-r", "-l", "-z", "HEAD").split("\0")[:-1]
    expected = [(line.split("\t")[1], *line.split()[::3][:2]) for line in listed]
    mine = [(e.path, f"{e.mode:06o}", str(e.size)) for e in source.entries()]
    assert mine == expected
    assert mine == sorted(mine)


def test_open_gives_the_bytes_and_a_links_target(source: Source) -> None:
    assert source.open("binary") == b"\xff\x00ok"
    assert source.open("link") == b"a/b/deep.py"


def test_has_follows_links_inside_the_tree(source: Source) -> None:
    here = ("app.py", "link", "via", "folder/x.txt", "a/../app.py", "./app.py")
    assert [path for path in here if not source.has(path)] == []
    absent = ("a", "folder", "dangling", "loop", "../app.py", "", "nope", "/app.py/x")
    assert [path for path in absent if source.has(path)] == []


def test_read_gives_text_up_to_its_limit(source: Source) -> None:
    assert source.read("via") == "this is a/b/deep.py\n"
    assert source.read("app.py", 4) == "this"
    assert source.read("binary") == "�\x00ok"


@pytest.mark.parametrize("path", ["nope", "a", "dangling", "loop", "../app.py"])
def test_read_raises_keyerror_for_what_is_no_file(source: Source, path: str) -> None:
    with pytest.raises(KeyError):
        source.read(path)


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.py", ("app.py",)),
        ("**/*.py", ("a/b/deep.py", "app.py")),
        ("a/*", ("a/x.txt",)),
        ("a/**/*.py", ("a/b/deep.py",)),
        ("?.txt", ("a.txt",)),
        ("a[.]txt", ("a.txt",)),
        ("[!b].txt", ("a.txt",)),
        ("weird [[]1].md", ("weird [1].md",)),
        ("nothing*", ()),
    ],
)
def test_globs(source: Source, pattern: str, found: tuple[str, ...]) -> None:
    assert source.glob(pattern) == found


def test_the_source_outlives_the_repository(source: Source, work: Work) -> None:
    source.open("app.py")
    work.host.repos().destroy(work.host.app)
    assert source.open("app.py") == b"this is app.py\n"
    assert not work.host.repository.exists()


def test_sizes_of_deltas_are_those_of_their_files(work: Work) -> None:
    for number in range(5):
        work.commit("long.txt", "".join(f"line {n}\n" for n in range(500 + number)))
        work.push("main")
    run_git(work.host.repository, "repack", "-adfq")
    source = work.host.repos().source(work.host.app, work.head())
    assert [entry.size for entry in source.entries()] == [(work.path / "long.txt").stat().st_size]


def test_loose_objects_are_found(work: Work) -> None:
    work.commit()
    work.push("main")
    packs = work.host.repository / "objects" / "pack"
    for pack in list(packs.glob("*.pack")):
        aside = pack.rename(work.path.parent / pack.name)
        pack.with_suffix(".idx").unlink()
        run_git(work.host.repository, "unpack-objects", "-q", stdin=aside.read_bytes())
    source = work.host.repos().source(work.host.app, work.head())
    assert [entry.path for entry in source.entries()] == ["app.py"]


def test_an_unknown_commit_is_not_found(work: Work) -> None:
    work.commit()
    work.push("main")
    with pytest.raises(NotFound):
        work.host.repos().source(work.host.app, "1" * 40)
    assert work.host.repos().subject(work.host.app, "1" * 40) == ""


def test_a_subject_is_one_clean_short_line(work: Work) -> None:
    commit = work.commit(message="\x1b[31mred\x1b[0m and " + "long " * 30 + "\n\nbody")
    work.push("main")
    subject = work.host.repos().subject(work.host.app, commit)
    assert subject.startswith("red and long")
    assert len(subject) == 60


def test_the_commits_between_two_are_told_newest_first(work: Work) -> None:
    first = work.commit(text="1\n", message="one")
    second = work.commit(text="2\n", message="two")
    third = work.commit(text="3\n", message="\x1b[31mthree\n\nbody")
    work.push("main")
    repos, app = work.host.repos(), work.host.app
    assert repos.commits(app, first, third) == ((third, "three"), (second, "two"))
    assert repos.commits(app, third, first) == ()
    assert [commit for commit, _ in repos.commits(app, None, third, limit=2)] == [third, second]
    assert len(repos.commits(app, "1" * 40, third)) == 3
    assert repos.commits(app, first, "1" * 40) == ()


def test_keep_and_drop_write_and_remove_the_hidden_ref(work: Work, tmp_path: Path) -> None:
    commit = work.commit()
    work.push("main")
    repos = work.host.repos()
    repos.keep(work.host.app, 99, commit)
    assert work.host.refs()["refs/paas/deploys/99"] == commit
    repos.drop(work.host.app, 99)
    repos.drop(work.host.app, 99)
    assert "refs/paas/deploys/99" not in work.host.refs()
    with pytest.raises(NotFound):
        repos.keep(work.host.app, 100, "1" * 40)
