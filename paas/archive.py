"""Reads an archive that a user sent (tar, tar.gz, zip) as the files of a commit.

Nothing is unpacked to the disk. What would leave the tree, has a special type, or inflates beyond
the limits is refused; the git room judges names and links once more.
"""

import gzip
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from paas.errors import SourceRefused
from paas.source import NewFile

FILE, EXECUTABLE, LINK = 0o100644, 0o100755, 0o120000
TYPES = ("tar", "tar.gz", "zip")
MAGIC = {b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x1f\x8b": "tar.gz"}
ENTRY = 2048  # bytes that an entry may cost beside its content: headers, long names
SKIPPED = {"__MACOSX", ".DS_Store"}  # what macOS puts beside the files


@dataclass(frozen=True)
class Bounds:
    """How much an archive may hold."""

    size: int  # bytes of all files together
    files: int
    one: int = 50 * 1024 * 1024  # bytes of one file: git's own objects are held to it too


@dataclass(frozen=True)
class _Entry:
    path: str
    mode: int
    member: tarfile.TarInfo | zipfile.ZipInfo


def read_archive(file: BinaryIO, kind: str | None, bounds: Bounds) -> Iterator[NewFile]:
    """Yield the files in an archive that can be sought; `kind` None looks at its first bytes.

    One folder that holds everything is left out of the paths. Raises SourceRefused.
    """
    head = file.read(4)
    file.seek(0)
    kind = kind or next((k for magic, k in MAGIC.items() if head.startswith(magic)), "tar")
    try:
        yield from _read_zip(file, bounds) if kind == "zip" else _read_tar(file, kind, bounds)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise SourceRefused(
            f"The archive cannot be read as {kind}: {error}",
            hint=f"Say what it is: --archive-type {'|'.join(TYPES)}",
        ) from error
    except (NotImplementedError, RuntimeError) as error:  # zipfile: encrypted, unknown method
        raise SourceRefused(f"The archive cannot be read: {error}") from error


def _read_tar(file: BinaryIO, kind: str, bounds: Bounds) -> Iterator[NewFile]:
    inner = cast("IO[bytes]", gzip.GzipFile(fileobj=file) if kind == "tar.gz" else file)
    limited = _Limited(inner, bounds.size + ENTRY * bounds.files)
    with tarfile.open(fileobj=limited, mode="r:") as tar:  # type: ignore[call-overload] # it reads, seeks and tells
        entries = []
        for member in tar:
            if member.isdir() or _is_skipped(member.name):
                continue
            entries.append(_Entry(_clean(member.name), _tar_mode(member), member))
            _check_count(len(entries), bounds)
        left = bounds.size
        for entry, path in _without_common(entries):
            assert isinstance(entry.member, tarfile.TarInfo)  # noqa: S101 - made above
            data = _tar_content(tar, entry.member, bounds)
            left -= len(data)  # a hard link brings its file once more
            if left < 0:
                raise _too_large(bounds)
            yield NewFile(path, entry.mode, data)


def _tar_mode(member: tarfile.TarInfo) -> int:
    if member.issym():
        return LINK
    if not (member.isreg() or member.islnk()):
        raise SourceRefused(f"{_shown(member.name)} is neither file, folder nor symbolic link")
    return EXECUTABLE if member.mode & stat.S_IXUSR else FILE


def _tar_content(tar: tarfile.TarFile, member: tarfile.TarInfo, bounds: Bounds) -> bytes:
    if member.issym():
        return member.linkname.encode("utf-8", "surrogateescape")
    try:
        source = tar.extractfile(member)
    except KeyError:
        source = None
    if source is None:
        raise SourceRefused(f"{_shown(member.name)} is a link to a file that is not in the archive")
    return _whole(source, member.name, bounds)


def _read_zip(file: BinaryIO, bounds: Bounds) -> Iterator[NewFile]:
    with zipfile.ZipFile(file) as archive:
        members = [m for m in archive.infolist() if not m.is_dir() and not _is_skipped(m.filename)]
        _check_count(len(members), bounds)
        entries = [_Entry(_clean(m.filename), _zip_mode(m), m) for m in members]
        left = bounds.size
        for entry, path in _without_common(entries):
            assert isinstance(entry.member, zipfile.ZipInfo)  # noqa: S101 - made above
            with archive.open(entry.member) as content:
                data = _whole(content, entry.path, bounds)
            left -= len(data)
            if left < 0:
                raise _too_large(bounds)
            yield NewFile(path, entry.mode, data)


def _zip_mode(member: zipfile.ZipInfo) -> int:
    mode = member.external_attr >> 16  # of Unix; 0 from other systems
    if stat.S_ISLNK(mode):
        return LINK
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG}:
        raise SourceRefused(f"{_shown(member.filename)} is neither file, folder nor symbolic link")
    return EXECUTABLE if mode & stat.S_IXUSR else FILE


def _whole(source: IO[bytes], name: str, bounds: Bounds) -> bytes:
    """Read a file; what the archive says of its size may be a lie. Raises SourceRefused."""
    data = source.read(bounds.one + 1)
    if len(data) > bounds.one:
        raise SourceRefused(f"{_shown(name)} has more than {bounds.one / 1e6:,.0f} MB")
    return data


def _without_common(entries: list[_Entry]) -> Iterator[tuple[_Entry, str]]:
    """Yield entries with their paths below the one folder that holds all of them, if there is."""
    if not entries:
        raise SourceRefused("There is no file in the archive")
    tops = {entry.path.partition("/")[0] for entry in entries}
    is_common = len(tops) == 1 and all("/" in entry.path for entry in entries)
    for entry in entries:
        yield entry, entry.path.partition("/")[2] if is_common else entry.path


def _clean(name: str) -> str:
    """Return a path as git has it. Raises SourceRefused for one that leads out of the tree."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", "."}]
    if name.startswith(("/", "\\")) or ".." in parts or not parts:
        raise SourceRefused(f"The path {_shown(name)} leads out of the archive")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise SourceRefused(f"The path {_shown(name)} is not UTF-8") from None
    return "/".join(parts)


def _is_skipped(name: str) -> bool:
    return not SKIPPED.isdisjoint(name.split("/"))


def _check_count(count: int, bounds: Bounds) -> None:
    if count > bounds.files:
        raise SourceRefused(
            f"The archive has more than {bounds.files:,} files",
            hint="Leave out what is generated, or see: git:set APP archive-max-files",
        )


def _too_large(bounds: Bounds) -> SourceRefused:
    return SourceRefused(
        f"The archive holds more than {bounds.size / 1e6:,.0f} MB",
        hint="Leave out what is generated, or see: git:set APP archive-max-size",
    )


def _shown(name: str) -> str:
    return ascii(name[:200])


class _Limited:
    """A stream that ends with an error where it is longer than it may be, however it inflates."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._limit = limit

    def read(self, size: int = -1) -> bytes:
        """Read as the stream does. Raises SourceRefused beyond the limit."""
        at = self._stream.tell()
        if at > self._limit:
            raise SourceRefused(f"The archive inflates to more than {self._limit / 1e6:,.0f} MB")
        return self._stream.read(size)

    def seek(self, to: int, whence: int = 0) -> int:
        """Seek as the stream does, but never far beyond the limit."""
        if whence == 0 and to > self._limit:
            raise SourceRefused(f"The archive inflates to more than {self._limit / 1e6:,.0f} MB")
        return self._stream.seek(to, whence)

    def tell(self) -> int:
        """Return the place in the stream."""
        return self._stream.tell()
