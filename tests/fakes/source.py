"""A Source in memory, with the same rules of paths and globs as the one from git."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from paas.source import Entry

FILE = 0o100644


class TreeSource:
    """The files given as a mapping from path to text or bytes."""

    def __init__(self, files: Mapping[str, str | bytes]) -> None:
        self._files = {
            path: text.encode() if isinstance(text, str) else text for path, text in files.items()
        }

    @classmethod
    def from_folder(cls, folder: Path) -> "TreeSource":
        """Read a folder, without what git would not have in it."""
        skipped = {"node_modules", "__pycache__", ".venv", "dist"}
        return cls(
            {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in folder.rglob("*")
                if path.is_file() and not skipped.intersection(path.relative_to(folder).parts)
            }
        )

    @property
    def commit(self) -> str | None:
        return None

    def has(self, path: str) -> bool:
        return path in self._files

    def read(self, path: str, limit: int = 1024 * 1024) -> str:
        return self._files[path][:limit].decode(errors="replace")

    def glob(self, pattern: str) -> tuple[str, ...]:
        parts = re.split(r"(\*\*/|\*)", pattern)
        words = {"**/": r"(?:[^/]+/)*", "*": r"[^/]*"}
        regex = re.compile("".join(words.get(part, re.escape(part)) for part in parts))
        return tuple(path for path in sorted(self._files) if regex.fullmatch(path))

    def entries(self) -> Iterator[Entry]:
        for path in sorted(self._files):
            yield Entry(path, FILE, len(self._files[path]))

    def open(self, path: str) -> bytes:
        return self._files[path]
