"""The build context: which files are in the tar, and how."""

import io
import tarfile
from collections.abc import Iterator, Mapping

import pytest

from paas.build.context import BATCH, MAX_FILES, Ignore, make_context
from paas.errors import BuildFailed, SourceRefused
from paas.source import Entry
from tests.fakes.source import TreeSource

CASES = [  # (patterns, left out, kept): Docker's documentation of .dockerignore and its tests
    (["*/temp*"], ["a/temporary.txt", "a/temp/x"], ["a/b/temp", "temp"]),
    (["*/*/temp*"], ["a/b/temporary.txt"], ["a/temp"]),
    (["temp?"], ["tempa", "tempb/x"], ["temp", "tempab"]),
    (["**/*.go"], ["a.go", "a/b/c.go"], ["a.goo", "a/go"]),
    (["**"], ["a", "a/b"], []),
    (["dir/**"], ["dir/a", "dir/a/b"], ["dirx/a"]),
    (["a/**/z"], ["a/z", "a/b/z", "a/b/c/z/q"], ["a/bz"]),
    (["node_modules"], ["node_modules/x/y.js"], ["web/node_modules/x"]),
    (["**/node_modules"], ["node_modules/x", "web/node_modules/x"], ["node_modules_x"]),
    (["*.md", "!README.md"], ["a.md"], ["README.md"]),
    (["*.md", "!README*.md", "README-secret.md"], ["README-secret.md"], ["README.md"]),
    (["*", "!app"], ["x", "x/app"], ["app", "app/y"]),
    (["dir", "!dir/keep"], ["dir/x"], ["dir/keep", "dir/keep/y"]),
    (["/foo/bar", "./baz/"], ["foo/bar", "baz/x"], ["x/foo/bar"]),
    (["a/../b"], ["b"], ["a"]),
    (["../x"], ["x"], []),
    (["# comment", "", "  spaced  "], ["spaced"], ["# comment"]),
    (["[a-c].txt", "[^x]y"], ["a.txt", "by"], ["d.txt", "xy"]),
    ([r"\*.txt"], ["*.txt"], ["a.txt"]),
    (["a+b(c).txt"], ["a+b(c).txt"], ["aab(c).txt"]),
    (["."], [], ["a"]),
    (["Dockerfile", ".dockerignore"], ["Dockerfile", ".dockerignore"], ["a/Dockerfile"]),
]


@pytest.mark.parametrize(("patterns", "out", "kept"), CASES)
def test_dockerignore_leaves_out_what_docker_does(
    patterns: list[str], out: list[str], kept: list[str]
) -> None:
    ignore = Ignore(patterns)
    assert {path: ignore.covers(path) for path in [*out, *kept]} == {
        path: path in out for path in [*out, *kept]
    }


class ListedSource(TreeSource):
    """A source that may hold what git would not."""

    def __init__(self, files: Mapping[str, bytes], listed: list[Entry]) -> None:
        super().__init__(files)
        self._listed = listed

    def entries(self) -> Iterator[Entry]:
        yield from self._listed


def read(source: TreeSource, *ignore: str) -> dict[str, tarfile.TarInfo]:
    context = make_context(source, ignore, "src", (("Dockerfile", b"FROM x"),), 1_700_000_000)
    data = b"".join(context.stream())
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: member for member in tar}


def test_files_folders_and_modes_are_in_the_tar() -> None:
    listed = [Entry("a/b/run", 0o100755, 1), Entry("a/l", 0o120000, 5), Entry("z", 0o100644, 1)]
    members = read(ListedSource({"a/b/run": b"1", "a/l": b"b/run", "z": b"2"}, listed))
    assert [*members] == [
        "src",
        "src/a",
        "src/a/b",
        "src/a/b/run",
        "src/a/l",
        "src/z",
        "Dockerfile",
    ]
    assert members["src/a/b/run"].mode == 0o755
    assert members["src/z"].mode == 0o644
    assert members["src/a/l"].linkname == "b/run"


def test_owner_and_time_are_the_same_for_all() -> None:
    members = read(TreeSource({"a/b": "1", "c": "2"})).values()
    assert {(m.uid, m.gid, m.mtime) for m in members} == {(0, 0, 1_700_000_000)}


def test_ignored_files_are_not_in_the_tar() -> None:
    assert "src/b" not in read(TreeSource({"a": "1", "b": "2"}), "b")


def test_names_that_are_long_or_not_ascii_survive() -> None:
    name = "ü" * 60 + "/" + "x" * 200
    assert f"src/{name}" in read(TreeSource({name: "1"}))


def test_the_stream_comes_in_batches_and_can_be_made_again() -> None:
    source = TreeSource({f"f{n}": b"x" * 10_000 for n in range(100)})
    context = make_context(source, (), "src", (), 0)
    chunks = list(context.stream())
    assert all(len(chunk) >= BATCH for chunk in chunks[:-1])
    assert b"".join(chunks) == b"".join(context.stream())


def test_too_many_files_are_refused_with_a_way_out() -> None:
    many = [Entry(f"f{n}", 0o100644, 0) for n in range(MAX_FILES + 1)]
    with pytest.raises(BuildFailed, match="too large") as caught:
        make_context(ListedSource({}, many), (), "src", (), 0)
    assert ".dockerignore" in caught.value.hint


def test_too_many_bytes_are_refused_unless_they_are_ignored() -> None:
    big = ListedSource({"big": b""}, [Entry("big", 0o100644, 501 * 1024 * 1024)])
    with pytest.raises(BuildFailed, match="525 MB"):
        make_context(big, (), "src", (), 0)
    assert make_context(big, ("big",), "src", (), 0).entries == ()


@pytest.mark.parametrize("path", ["../Dockerfile", "a/../../Dockerfile", "/etc/x", "a//b", "./a"])
def test_a_path_that_leaves_its_folder_is_refused(path: str) -> None:
    with pytest.raises(SourceRefused, match="hostile"):
        make_context(ListedSource({}, [Entry(path, 0o100644, 1)]), (), "src", (), 0)


def test_a_file_below_a_symlink_is_refused() -> None:
    listed = [Entry("a", 0o120000, 2), Entry("a/Dockerfile", 0o100644, 1)]
    with pytest.raises(SourceRefused, match="hostile"):
        make_context(ListedSource({"a": b".."}, listed), (), "src", (), 0)
