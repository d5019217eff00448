"""A commit's tree as a Source, straight from the object store: no checkout."""

import re
import weakref
from collections.abc import Iterator
from functools import lru_cache

from dulwich.object_store import DiskObjectStore
from dulwich.objects import RawObjectID

from paas.errors import SourceRefused
from paas.git.inspect import Inspected
from paas.git.links import follow
from paas.source import Entry


class GitSource:
    """paas/source.py's Source of an inspected commit. Owns the store: closes it at its own end."""

    def __init__(self, store: DiskObjectStore, commit: str, inspected: Inspected) -> None:
        self._store = store
        self._commit = commit
        self._files = inspected.files
        self._links = inspected.links
        weakref.finalize(self, store.close)

    @property
    def commit(self) -> str | None:
        return self._commit

    def has(self, path: str) -> bool:
        return self._follow(path) in self._files

    def read(self, path: str, limit: int = 1024 * 1024) -> str:
        return self.open(self._follow(path))[:limit].decode(errors="replace")

    def glob(self, pattern: str) -> tuple[str, ...]:
        match = _compile(pattern).fullmatch
        return tuple(path for path in self._files if match(path))

    def entries(self) -> Iterator[Entry]:
        for file in self._files.values():
            yield Entry(file.path, file.mode, file.size)

    def open(self, path: str) -> bytes:
        return self._store.get_raw(RawObjectID(self._files[path].id))[1]

    def _follow(self, path: str) -> str:
        """Return the path of the file that `path` leads to; "" if it leads to none."""
        try:
            found, _ = follow(self._links, path)
        except SourceRefused:  # the way is too long
            return ""
        return "" if found is None or found in self._links else found


@lru_cache(maxsize=256)
def _compile(pattern: str) -> re.Pattern[str]:
    """Translate a glob: `*` and `?` stop at `/`, `**/` is any number of directories."""
    parts = re.split(r"(\*\*/|\*|\?|\[!?[^\]/]+\])", pattern)
    known = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(known.get(part) or _literal(part) for part in parts), re.DOTALL)


def _literal(part: str) -> str:
    if not part.startswith("[") or not part.endswith("]"):
        return re.escape(part)
    inside = re.sub(r"([\\^\[&~|])", r"\\\1", part[1:-1])
    return f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
