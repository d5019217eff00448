"""Runs `git repack`: alone, within a time, and so that nothing stays of one that fails."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from paas.errors import Unavailable
from paas.git.index import clean_environment

SECONDS = 120
PAUSE = 6 * 3600.0  # seconds until the background tries again what took too long
# Without -n git leaves lists of refs and packs for plain file servers, info/refs, which go stale.
# It copies and looks for no new deltas: those cost what the pushed objects want them to cost.
QUIETLY = ("-d", "-n", "-q", "--window=0")
# A request may write no file of more than 1 GB; bitmaps are for git's own upload-pack.
CONFIGURATION = ("gc.auto=0", "repack.writeBitmaps=false", "pack.packSizeLimit=512m")


def repack(repository: Path, git: str, lock: int, *words: str) -> str:
    """Run `git repack`, holding the repository's lock; return why it failed, "" if it did not.

    git's processes hold `lock` too: whatever becomes of us, nobody else comes in while they write.
    Raises Unavailable when it takes too long.
    """
    remove_leftovers(repository)
    configuration = [word for each in CONFIGURATION for word in ("-c", each)]
    try:
        failure = _run([git, *configuration, "repack", *QUIETLY, *words], repository, lock)
    except subprocess.TimeoutExpired as error:
        rest(repository)
        raise Unavailable("git repack took too long", hint="Try again later.") from error
    finally:
        remove_leftovers(repository)
    _note(repository).unlink(missing_ok=True)
    return failure


def _run(command: list[str], repository: Path, lock: int) -> str:
    with subprocess.Popen(
        command,
        env=clean_environment(repository),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=(lock,),
        start_new_session=True,
    ) as process:
        try:
            _, said = process.communicate(timeout=SECONDS)
        except BaseException:  # it is pack-objects that works, and outlives its parent
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
    if not process.returncode:
        return ""
    return said.decode(errors="replace")[-200:].strip() or f"it ended with {process.returncode}"


def rest(repository: Path) -> None:
    """Let the background leave the repository alone for some hours."""
    _note(repository).touch()


def is_resting(repository: Path) -> bool:
    """Whether it is to be left alone."""
    with suppress(FileNotFoundError):
        return time.time() - _note(repository).stat().st_mtime < PAUSE
    return False


def remove_leftovers(repository: Path) -> None:
    """Remove half-written packs; hold the lock, with no push at work: nobody writes them then."""
    for pattern in ("tmp*", ".tmp-*"):
        for file in (repository / "objects" / "pack").glob(pattern):
            file.unlink(missing_ok=True)


def size_of(repository: Path) -> int:
    """Return the bytes of all objects; files may go meanwhile."""
    total = 0
    for file in (repository / "objects").rglob("*"):
        with suppress(FileNotFoundError):
            total += file.stat().st_size
    return total


def _note(repository: Path) -> Path:
    return repository / "repack-gave-up"
