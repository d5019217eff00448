"""Joins the packs of a repository: each push leaves one, and every reader opens them all."""

import subprocess
from contextlib import closing
from pathlib import Path

from paas.errors import Conflict, Unavailable
from paas.git.index import clean_environment
from paas.git.store import Store, exclusive

MANY = 50  # packs; each costs a reader two descriptors
SMALL = 64 * 1024 * 1024  # bytes of packs that dulwich may hold in memory, unpacked
SECONDS = 120
# Without -n git leaves lists of refs and packs for plain file servers, info/refs, which go stale.
QUIETLY = ("-d", "-n", "-q", "--window=0")


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


def collect(repository: Path, git: str | None) -> tuple[int, int]:
    """Drop what no ref leads to; return the bytes of all objects before and after.

    Hidden refs count: they hold the sources of the releases that are kept. Raises Conflict while a
    push is on its way in, Unavailable without git.
    """
    if git is None:
        raise Unavailable("repo:gc needs git on this host", hint="apt install git")
    if not repository.exists():
        return 0, 0
    with exclusive(repository):
        if any((repository / "quarantine").iterdir()):
            raise Conflict("A push is on its way in", hint="Try again when it has ended.")
        before = _size(repository)
        try:
            done = subprocess.run(
                [git, "-c", "gc.auto=0", "repack", *QUIETLY, "-a"],
                env=clean_environment(repository),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable("git repack took too long", hint="Try again later.") from error
    if done.returncode:
        raise Unavailable(f"git repack failed: {done.stderr.decode(errors='replace')[-200:]}")
    return before, _size(repository)


def _size(repository: Path) -> int:
    return sum(file.stat().st_size for file in (repository / "objects").rglob("*"))


def _packs(repository: Path) -> list[Path]:
    return list((repository / "objects" / "pack").glob("*.pack"))


def _repack(repository: Path, git: str) -> bool:
    """Let git join packs so that each is twice as large as the next (from git 2.33 on).

    It copies and looks for no new deltas: those cost what the pushed objects want them to cost.
    """
    try:
        done = subprocess.run(
            [git, "repack", *QUIETLY, "--geometric=2"],
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
