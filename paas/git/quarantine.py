"""Where a pack stays until it is known to be harmless and its deploy has succeeded."""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

from paas.git.store import Store, exclusive, read_shallow, sync_directory, write_shallow
from paas.workers import shielded

LAST = ".idx"  # a pack is seen by readers when its index is there


class Quarantine:
    """A directory with objects of its own that borrows from the repository's.

    It is locked by the process that made it, and by the git that works in it, so that sweep() knows
    the abandoned ones. Close it when the push has been answered.
    """

    def __init__(self, repository: Path, shallow: Iterable[bytes] = ()) -> None:
        self.repository = repository
        self.path = repository / "quarantine" / f"{os.getpid()}-{secrets.token_hex(8)}"
        with exclusive(repository):  # else sweep() could come between these two lines
            self.path.mkdir(parents=True)
            self.lock = _lock(self.path)
        self.objects = self.path / "objects"
        try:
            self._furnish()
        except BaseException:
            self._remove()
            raise
        self.declared = frozenset(shallow)  # what the client says is the edge of its history
        self.store = self.open_store()
        self.admitted = False

    def _furnish(self) -> None:
        (self.objects / "pack").mkdir(parents=True)
        (self.objects / "info").mkdir()
        (self.objects / "info" / "alternates").write_bytes(
            os.fsencode(self.repository / "objects") + b"\n"
        )

    def open_store(self) -> Store:
        """Return a new view of what is quarantined together with the repository's objects."""
        return Store(self.objects, self.declared | read_shallow(self.repository))

    def admit(self) -> None:
        """Give the repository the objects, durably; doing it twice is harmless.

        They are linked, not moved, so that readers of the quarantine are not disturbed.
        """
        if self.admitted:
            return
        files = sorted((self.objects / "pack").glob("pack-*"), key=lambda f: f.suffix == LAST)
        for file in files:
            with open(file, "rb") as content:  # noqa: PTH123 - fsync wants a descriptor
                os.fsync(content.fileno())
        target = self.repository / "objects" / "pack"
        with exclusive(self.repository):
            # The edge comes first: a crash in between leaves a line too many, not one too few.
            self._extend_shallow()
            for file in files:
                with suppress(FileExistsError):  # named by its content: the same one
                    os.link(file, target / file.name)
            sync_directory(target)
        self.admitted = True

    def _extend_shallow(self) -> None:
        """Note the edge of the history, and forget an edge that was filled in."""
        before = read_shallow(self.repository)
        with closing(Store(self.objects)) as store:
            after = {edge for edge in before | self.declared if store.lacks_parents(edge.decode())}
        if after != before:
            write_shallow(self.repository, after)

    def close(self) -> None:
        """Remove what was not admitted."""
        self.store.close()
        with shielded():  # a client that goes away cuts its bytes first, and then hangs up
            self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def _lock(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def sweep(repository: Path) -> None:
    """Remove the quarantines whose process, and the git that it started, are gone."""
    for path in (repository / "quarantine").glob("*"):
        with exclusive(repository), suppress(BlockingIOError, FileNotFoundError):
            descriptor = _lock(path)
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)
