"""Joins the packs of a repository: each push leaves one, and every reader opens them all."""

import subprocess
from contextlib import closing
from pathlib import Path

from paas.git.index import clean_environment
from paas.git.store import Store, exclusive

MANY = 50  # packs; each costs a reader two descriptors
SMALL = 64 * 1024 * 1024  # bytes of packs that dulwich may hold in memory, unpacked
SECONDS = 120


def tidy(repository: Path, git: str | None) -> None:
    """Join the packs when there are many and no push is at work. No object is dropped.

    A push that comes meanwhile waits for its quarantine until this is done.
    """
    if len(_packs(repository)) < MANY:
        return
    with exclusive(repository):
        if any((repository / "quarantine").iterdir()):
            return
        if not (git and _repack(repository, git)):
            _join(repository)


def _packs(repository: Path) -> list[Path]:
    return list((repository / "objects" / "pack").glob("*.pack"))


def _repack(repository: Path, git: str) -> bool:
    """Let git join packs so that each is twice as large as the next (from git 2.33 on).

    It copies and looks for no new deltas: those cost what the pushed objects want them to cost.
    """
    try:
        done = subprocess.run(
            [git, "repack", "-d", "-q", "--geometric=2", "--window=0"],
            env=clean_environment(repository),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True  # what there is serves as well
    return done.returncode == 0


def _join(repository: Path) -> None:
    if sum(pack.stat().st_size for pack in _packs(repository)) < SMALL:
        with closing(Store(repository / "objects")) as store:
            store.repack()
