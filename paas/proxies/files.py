"""Files that other programs read: replaced whole or not at all, by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paas.errors import ProxyUnavailable


def write_file(path: Path, text: str, mode: int = 0o644) -> bool:
    """Replace the file's content atomically and durably; return whether it had to change.

    Raises ProxyUnavailable, for example when the disk is full: then the old content still stands.
    """
    if path.is_file() and path.read_text() == text:
        return False
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)  # of a crash, and perhaps with another mode
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise ProxyUnavailable(
            f"{path} cannot be written: {error.strerror}",
            hint=f"Look at the free space: df -h {path.parent}",
        ) from error
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive flock on `path`; waits for the holder, and ends with the process."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
