"""Keeps nginx's logs of apps within a budget: a file that is full is put aside, one per log.

nginx opens its logs anew at USR1 (https://nginx.org/en/docs/control.html#logs); unlike a reload
that starts no worker and ends no connection.
"""

from collections.abc import Callable
from pathlib import Path

FULL = 10 * 1024 * 1024  # bytes of one log
BUDGET = 1024 * 1024 * 1024  # bytes of all together
ASIDE = ".1"


def rotate(folder: Path, reopen: Callable[[], None]) -> None:
    """Put full logs aside, let nginx `reopen` its own, and remove the oldest beyond the budget."""
    for log in folder.glob("*.log"):
        if log.stat().st_size > FULL:
            log.replace(log.with_name(log.name + ASIDE))
    if any(not aside.with_suffix("").exists() for aside in folder.glob(f"*.log{ASIDE}")):
        reopen()  # also after a crash between these two lines
    _trim(folder)


def _trim(folder: Path) -> None:
    sizes = {file: file.stat().st_size for file in folder.glob("*.log*")}
    total = sum(sizes.values())
    aside = [file for file in sizes if file.suffix == ASIDE]
    for file in sorted(aside, key=lambda file: file.stat().st_mtime):
        if total <= BUDGET:
            return
        file.unlink()
        total -= sizes[file]
