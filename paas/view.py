"""A Source as a builder is to see it: one folder of the tree, with some files taken for others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from paas.errors import BuildFailed
from paas.source import Entry, Source


@dataclass(frozen=True)
class View:
    """The files of `whole` below `folder` ("" is the root), with paths relative to it.

    `names` says which file is read where another is asked for: {"Procfile": "deploy/Procfile"}. It
    changes no file of the build itself.
    """

    whole: Source
    folder: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def commit(self) -> str | None:
        """The commit of the whole tree."""
        return self.whole.commit

    def has(self, path: str) -> bool:
        """Whether the file is there, or the one that is taken for it."""
        return self.whole.has(self._place(path))

    def read(self, path: str, limit: int = 1024 * 1024) -> str:
        """Return the text of the file, or of the one that is taken for it. Raises KeyError."""
        return self.whole.read(self._place(path), limit)

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Return the paths below the folder that match."""
        found = self.whole.glob(f"{_literal(self._prefix)}{pattern}")
        return tuple(path.removeprefix(self._prefix) for path in found)

    def entries(self) -> Iterator[Entry]:
        """Yield every file below the folder."""
        for entry in self.whole.entries():
            if entry.path.startswith(self._prefix):
                yield replace(entry, path=entry.path.removeprefix(self._prefix))

    def open(self, path: str) -> bytes:
        """Return the bytes of the file itself."""
        return self.whole.open(f"{self._prefix}{path}")

    @property
    def _prefix(self) -> str:
        return f"{self.folder}/" if self.folder else ""

    def _place(self, path: str) -> str:
        return f"{self._prefix}{self.names.get(path, path)}"


def open_view(whole: Source, folder: str, names: Mapping[str, str]) -> Source:
    """Return the view, or `whole` itself where it would be the same.

    Raises BuildFailed for a folder without files, and for a file that was chosen and is not there.
    """
    view = View(whole, folder, names)
    if folder and next(view.entries(), None) is None:
        raise BuildFailed(
            f"There is no folder {folder} in what was pushed",
            hint="Correct it: builder:set APP build-dir FOLDER",
        )
    for usual, chosen in names.items():
        if not view.has(usual):
            raise BuildFailed(
                f"There is no file {chosen} in what was pushed; it was chosen as {usual}",
                hint="Commit it, or let the usual name be taken again by an empty value.",
            )
    return view if folder or names else whole


def _literal(path: str) -> str:
    """Return a pattern that matches just this path."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in path)
