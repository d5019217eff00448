"""Source: all that detection may see of a pushed tree."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Entry:
    """One file of a tree: path with `/`, git mode (0o100644, 0o100755, 0o120000), size in bytes."""

    path: str
    mode: int
    size: int


@dataclass(frozen=True)
class NewFile:
    """A file that is to become part of a commit; a symlink's content is its target."""

    path: str
    mode: int
    content: bytes


class Source(Protocol):
    """A read-only view of one commit's tree (or of an archive). Paths are relative, with `/`."""

    @property
    def commit(self) -> str | None:
        """The commit's id in hex; None when the source is not from git."""

    def has(self, path: str) -> bool:
        """Whether a regular file (or a symlink to one inside the tree) stands at `path`."""

    def read(self, path: str, limit: int = 1024 * 1024) -> str:
        """Return at most `limit` bytes of the file as text (UTF-8, bad bytes replaced).

        Raises KeyError if there is no such file.
        """

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Return the paths that match (`*` stops at `/`, `**/` does not), sorted."""

    def entries(self) -> Iterator[Entry]:
        """Yield every file, in path order; directories are implied."""

    def open(self, path: str) -> bytes:
        """Return the file's bytes (a symlink's target text for a symlink)."""
