"""The build context: a tar stream made straight from a Source, without a checkout.

BuildKit keys its cache by path, mode, owner, link target and content of files, not by their times
(util/contenthash in moby/buildkit). So owner and modes are fixed, and all files of a build get one
time: the build's own. A constant would make web servers give a changed file of the same size an
unchanged ETag, and browsers would keep the old one.
"""

import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from paas.errors import BuildFailed, SourceRefused
from paas.source import Entry, Source

MAX_BYTES = 500 * 1024 * 1024
MAX_FILES = 50_000
BATCH = 256 * 1024  # bytes per chunk: one system call each
BLOCK = 512
EXECUTABLE, SYMLINK = 0o100755, 0o120000


class Ignore:
    """Which paths .dockerignore leaves out: the last pattern that matches decides.

    `*` and `?` stop at `/`, `**` does not, `!` takes back, a pattern covers all below what it
    matches (Docker's build documentation; moby/patternmatcher).
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._rules = [_rule(p) for p in patterns if p.strip() and not p.lstrip().startswith("#")]

    def covers(self, path: str) -> bool:
        """Whether `path` (relative, with `/`) stays out of the context."""
        verdict = False
        for leaves_out, pattern in self._rules:
            if leaves_out != verdict and pattern.fullmatch(path):
                verdict = leaves_out
        return verdict


def _rule(line: str) -> tuple[bool, re.Pattern[str]]:
    text = line.strip()
    leaves_out = not text.startswith("!")
    parts: list[str] = []
    for part in text.removeprefix("!").strip().split("/"):
        if part == ".." and parts:
            parts.pop()
        elif part not in {"", ".", ".."}:
            parts.append(part)
    return leaves_out, re.compile(_regex("/".join(parts)) + r"(?:/.*)?", re.DOTALL)


def _regex(pattern: str) -> str:
    """Translate a cleaned pattern; an empty one (`/` or `.`) matches nothing, as in Docker."""
    if not pattern:
        return r"(?!)"
    result, at = "", 0
    while at < len(pattern):
        for form, regex in ((r"\*\*/", "(?:.*/)?"), (r"\*\*+", ".*"), (r"\*", "[^/]*")):
            match = re.compile(form).match(pattern, at)
            if match:
                result, at = result + regex, match.end()
                break
        else:
            piece, at = _character(pattern, at)
            result += piece
    return result


def _character(pattern: str, at: int) -> tuple[str, int]:
    """Translate what stands at `at`: `?`, a class, an escaped or a plain character."""
    if pattern[at] == "?":
        return "[^/]", at + 1
    if pattern[at] == "\\" and at + 1 < len(pattern):
        return re.escape(pattern[at + 1]), at + 2
    end = pattern.find("]", at + 2)
    if pattern[at] == "[" and end > 0:
        body = pattern[at + 1 : end].replace("\\", r"\\").replace("[", r"\[")
        return f"[{body}]", end + 1
    return re.escape(pattern[at]), at + 1


@dataclass(frozen=True)
class Context:
    """The files of one build: those of `source` under `directory`, and `extra` ones at the root."""

    source: Source
    entries: tuple[Entry, ...]
    directory: str
    extra: tuple[tuple[str, bytes], ...]
    time: int  # seconds since the epoch

    def stream(self) -> Iterator[bytes]:
        """Yield the tar in chunks of BATCH bytes or more. It can be made again."""
        batch = bytearray()
        for piece in self._pieces():
            batch += piece
            if len(batch) >= BATCH:
                yield bytes(batch)
                batch.clear()
        yield bytes(batch + bytes(2 * BLOCK))

    def _pieces(self) -> Iterator[bytes]:
        yield self._header(self.directory, tarfile.DIRTYPE, 0o755)
        known = {""}
        for entry in self.entries:
            for folder in _parents(entry.path):
                if folder not in known:
                    known.add(folder)
                    yield self._header(f"{self.directory}/{folder}", tarfile.DIRTYPE, 0o755)
            yield from self._entry(entry)
        for name, data in self.extra:  # last: nothing can write over the checked Dockerfile
            yield from self._file(name, 0o644, data)

    def _entry(self, entry: Entry) -> Iterator[bytes]:
        name, data = f"{self.directory}/{entry.path}", self.source.open(entry.path)
        if entry.mode == SYMLINK:
            link = data.decode(errors="surrogateescape")
            yield self._header(name, tarfile.SYMTYPE, 0o777, link=link)
        else:
            yield from self._file(name, 0o755 if entry.mode == EXECUTABLE else 0o644, data)

    def _file(self, name: str, mode: int, data: bytes) -> Iterator[bytes]:
        yield self._header(name, tarfile.REGTYPE, mode, size=len(data))
        yield data
        yield bytes(-len(data) % BLOCK)

    def _header(self, name: str, kind: bytes, mode: int, *, size: int = 0, link: str = "") -> bytes:
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.size, info.linkname = kind, mode, size, link
        info.mtime = self.time
        return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def make_context(
    source: Source,
    ignore: Sequence[str],
    directory: str,
    extra: tuple[tuple[str, bytes], ...],
    time: int,
) -> Context:
    """Choose the files. Raises BuildFailed when they are too many or too large for a build.

    Raises SourceRefused for a path that would leave `directory` when the tar is unpacked: git's own
    trees have none, but this is the last place that looks.
    """
    rules = Ignore(ignore)
    entries = tuple(entry for entry in source.entries() if not rules.covers(entry.path))
    files = {entry.path for entry in entries}
    for path in files:
        is_below_file = any(folder in files for folder in _parents(path))
        if is_below_file or not {"", ".", ".."}.isdisjoint(path.split("/")):
            raise SourceRefused(f"The path {path!r} is hostile", hint="Remove it and push again.")
    size = sum(entry.size for entry in entries)
    if len(entries) > MAX_FILES or size > MAX_BYTES:
        raise BuildFailed(
            f"The source is too large to build: {len(entries)} files, {size / 1e6:.0f} MB"
            f" (at most {MAX_FILES} files, {MAX_BYTES / 1e6:.0f} MB)",
            hint="Leave out what the build does not need: list it in .dockerignore.",
        )
    return Context(source, entries, directory, extra, time)


def _parents(path: str) -> Iterator[str]:
    """Yield the folders above `path`, outermost first."""
    at = path.find("/")
    while at >= 0:
        yield path[:at]
        at = path.find("/", at + 1)
