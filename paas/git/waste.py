"""Drops what was pushed and then given up, for the background.

A branch that is deleted, or moved by force, leaves objects that nobody can reach. To drop them
takes a copy of all others, during which pushes wait: so first it is measured, without any lock.
"""

import hashlib
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from dulwich.refs import DiskRefsContainer

from paas.errors import Unavailable
from paas.git.index import clean_environment
from paas.git.limits import MB
from paas.git.repack import SECONDS, is_resting
from paas.git.tidy import collect, is_busy, log, packs_of

DAY = 24 * 3600.0
SHARE = 10  # percent of a repository that are worth it
LITTLE = 10 * MB  # is never worth it


def collect_waste(repository: Path, git: str | None) -> None:
    """Drop it where there is enough, at most once a day and only if something has changed.

    Raises Conflict, Unavailable.
    """
    note = repository / "looked-for-waste"
    if git is None or is_resting(repository) or is_busy(repository) or _is_fresh(note):
        return
    before = note.read_text() if note.exists() else ""
    note.write_text("")  # whatever fails now is not tried again today
    if before != _fingerprint(repository):
        _collect_much(repository, git)
    note.write_text(_fingerprint(repository))


def _collect_much(repository: Path, git: str) -> None:
    waste, total = _measure(repository, git)
    if waste > max(LITTLE, total * SHARE // 100):
        before, after = collect(repository, git)
        log.info("%s: %d MB dropped", repository.name, (before - after) // MB)


def _is_fresh(note: Path) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - note.stat().st_mtime < DAY
    return False


def _fingerprint(repository: Path) -> str:
    """Return what changes when a pack or a ref does."""
    refs = sorted(DiskRefsContainer(repository).as_dict().items())
    packs = sorted(pack.name for pack in packs_of(repository))
    return hashlib.sha256(repr((refs, packs)).encode()).hexdigest()


def _measure(repository: Path, git: str) -> tuple[int, int]:
    """Return how many bytes of the packs no ref leads to, and those of all packs."""
    try:
        done = subprocess.run(
            [git, "rev-list", "--objects", "--all", "--disk-usage"],  # from git 2.31 on
            env=clean_environment(repository),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable("git rev-list took too long") from error
    total = sum(file.stat().st_size for file in (repository / "objects" / "pack").glob("*.pack"))
    return (total - int(done.stdout), total) if not done.returncode else (total, total)
