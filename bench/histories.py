"""Two histories that are large in their own ways, made by `git fast-import`, always the same."""

import random
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

COMMITS = 14_100  # with which there are 110,000 objects, in a pack of 26 MB
LINES = 1_400  # of each file: all versions together are more than 1 GB
WORDS, IN_A_LINE = 3_000, 6
CHANGES = 2  # files in one commit
FOLDERS = (6, 6, 12)  # folders, folders in them, files in those
LARGE = (40, 30, 20, 20, 15, 15, *(8,) * 10, *(4,) * 10, *(1,) * 40)  # MB, 300 together
MB = 1_000_000


def write_many_objects(repository: Path, commits: int = COMMITS) -> None:
    """Make a repository of small changes to long text files."""
    _import(repository, _small_changes(commits))


def write_large_blobs(repository: Path, sizes: Sequence[int] = LARGE) -> None:
    """Make a repository of a few files that neither zlib nor a delta makes smaller."""
    _import(repository, _large_files(sizes))


def _import(repository: Path, pieces: Iterator[bytes]) -> None:
    make = ["git", "init", "-q", "--bare", str(repository)]
    subprocess.run(make, check=True, timeout=60)
    # Level 1: nobody gains by squeezing noise, and both sides only inflate.
    command = ["git", "-C", str(repository), "-c", "core.compression=1", "fast-import", "--quiet"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as importer:
        assert importer.stdin
        for piece in pieces:
            importer.stdin.write(piece)
    assert importer.returncode == 0, "git fast-import failed"


def _small_changes(commits: int) -> Iterator[bytes]:
    """Yield all versions of each file first, for a delta is made against the blob before it."""
    chance = random.Random(5)
    words = [b"%x" % chance.getrandbits(chance.randint(8, 24)) for _ in range(WORDS)]
    marks: dict[bytes, list[int]] = {}
    for mark in range(1, CHANGES * commits + 1):
        path = b"d%d/e%d/f%d.py" % tuple(chance.randrange(most) for most in FOLDERS)
        marks.setdefault(path, []).append(mark)
    for versions in marks.values():
        lines = [_line(words, chance.choices) for _ in range(LINES)]
        for mark in versions:
            lines[chance.randrange(LINES)] = _line(words, chance.choices)
            yield b"blob\nmark :%d\n%s" % (mark, _data(b"\n".join(lines)))
    path_of = {mark: path for path, versions in marks.items() for mark in versions}
    for number in range(commits):
        yield _commit(number)
        for mark in range(CHANGES * number + 1, CHANGES * (number + 1) + 1):
            yield b"M 100644 :%d %s\n" % (mark, path_of[mark])


def _large_files(sizes: Sequence[int]) -> Iterator[bytes]:
    chance = random.Random(7)
    for number, size in enumerate(sizes):
        yield _commit(number)
        yield b"M 100644 inline large%d.bin\n%s" % (number, _data(chance.randbytes(size * MB)))


def _line(words: list[bytes], choose: Callable[..., list[bytes]]) -> bytes:
    return b" ".join(choose(words, k=IN_A_LINE))


def _commit(number: int) -> bytes:
    who = b"committer Anna <anna@example.org> %d +0000\n" % (1_700_000_000 + number)
    return b"commit refs/heads/master\n%sdata 1\n.\n" % who


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)
