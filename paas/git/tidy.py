"""Keeps a repository small: joins its packs, drops what no ref leads to, takes no more than it may.

Each push leaves a pack, and every reader looks into all of them.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paas.errors import Conflict, DiskFull, PaasError, SourceRefused, Unavailable
from paas.git.join import join
from paas.git.limits import MB, Limits
from paas.git.repack import is_resting, remove_leftovers, repack, rest, size_of
from paas.git.scan import RAISE_HINT
from paas.git.store import exclusive

MANY = 50  # packs
log = logging.getLogger("paas")


def tidy(repository: Path, git: str | None) -> None:
    """Join the packs when there are many and no push is at work. No object is dropped.

    A push that comes meanwhile waits for its quarantine until this is done. Raises Unavailable.
    """
    if len(packs_of(repository)) < MANY or is_resting(repository):
        return
    with exclusive(repository) as lock:
        if is_busy(repository):
            return
        # Each pack is to be twice as large as the next (from git 2.33 on).
        if git is None or repack(repository, git, lock, "--geometric=2"):
            remove_leftovers(repository)
            _join(repository)


def _join(repository: Path) -> None:
    try:
        join(repository)
    except OSError:
        raise
    except Exception as error:  # dulwich has a dozen for what is broken
        rest(repository)
        raise Unavailable(f"the packs cannot be joined: {error!r}") from error


def collect(repository: Path, git: str | None) -> tuple[int, int]:
    """Drop what no ref leads to; return the bytes of all objects before and after.

    Hidden refs count: they hold the sources of the releases that are kept. Raises Conflict while a
    push is on its way in, Unavailable without git, without room, or when it takes too long.
    """
    if git is None:
        raise Unavailable("repo:gc needs git on this host", hint="apt install git")
    if not repository.exists():
        return 0, 0
    with exclusive(repository) as lock:
        if is_busy(repository):
            raise Conflict("A push is on its way in", hint="Try again when it has ended.")
        before = size_of(repository)
        _require_room(repository, before)
        if failure := repack(repository, git, lock, "-a"):
            raise Unavailable(f"git repack failed: {failure}")
        return before, size_of(repository)


def require_place(repository: Path, limits: Limits) -> None:
    """Raise SourceRefused if the repository has as much as it may have."""
    size = size_of(repository)
    if size >= limits.repository:
        raise SourceRefused(
            f"The repository has {size // MB:,} MB; {limits.repository // MB:,} MB are allowed",
            hint="Drop what no branch leads to: repo:gc APP. "
            + RAISE_HINT.format("max_repository"),
        )


def packs_of(repository: Path) -> list[Path]:
    """Return the indexes of all packs."""
    return list((repository / "objects" / "pack").glob("pack-*.idx"))


def is_busy(repository: Path) -> bool:
    """Whether a push is at work."""
    return any((repository / "quarantine").iterdir())


@contextmanager
def logged(repository: Path) -> Iterator[None]:
    """Let the other repositories have their turn, whatever is wrong with this one."""
    try:
        yield
    except (PaasError, OSError) as error:
        log.warning("%s: %s", repository.name, error)


def _require_room(repository: Path, size: int) -> None:
    needed = 2 * size  # a copy, and as much for the neighbours meanwhile
    if shutil.disk_usage(repository).free < needed:
        raise DiskFull(
            f"To clean the repository takes {needed // MB:,} MB of free space for a while",
            hint="The host's owner should free some space first (docker system df).",
        )
