"""The daemon's own log: one file, which the daemon and all its forks write.

When it is full the background process puts it aside, and each writer goes on in the new file.
"""

import contextlib
import logging
import os
from collections.abc import Mapping
from logging.handlers import WatchedFileHandler
from pathlib import Path

from paas.settings import Settings

FULL = 10 * 1024 * 1024  # bytes


class _ToFile(WatchedFileHandler):
    """Opens the file anew when it was put aside; what cannot be written is lost, and no error."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):
            super().emit(record)


def log_file(settings: Settings) -> Path:
    """Return the path of the log."""
    return settings.logs / "paas.log"


def open_log(path: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Log to `path`, and to the journal below systemd."""
    path.parent.mkdir(parents=True, exist_ok=True)
    put_aside(path)
    to_file = _ToFile(path)
    to_file.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    handlers: list[logging.Handler] = [to_file]
    if environ.get("JOURNAL_STREAM") == stream_of(2):  # else it is not the journal that we write to
        journal = os.fdopen(os.dup(2), "w")  # a request's standard error becomes the client's
        handlers.append(logging.StreamHandler(journal))
        handlers[-1].setFormatter(logging.Formatter("%(process)d %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=handlers)
    logging.raiseExceptions = False  # a log that cannot be written tells no client of it
    logging.getLogger("dulwich").setLevel(logging.WARNING)  # it tells each client's capabilities


def put_aside(path: Path) -> None:
    """Put a full log in the place of the one that was put aside before."""
    if path.exists() and path.stat().st_size > FULL:
        path.replace(path.with_name(f"{path.name}.1"))


def stream_of(descriptor: int) -> str:
    """Return what systemd.exec(5) has JOURNAL_STREAM say of a descriptor: device:inode."""
    found = os.fstat(descriptor)
    return f"{found.st_dev}:{found.st_ino}"
