"""The disk rule: a push is refused when less is free than min(5 GB, 15 %); half may be used up."""

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paas.alongside import alongside
from paas.errors import DiskFull, Unavailable
from paas.settings import MB, Settings

SHARE = 0.15
HALF = 0.5
LOOK = 0.5  # seconds between two looks: a build step writes about a gigabyte in that time


def space(path: Path, reserve: int) -> tuple[int, int]:
    """Return (free bytes, bytes that must stay free) of the file system that holds `path`."""
    usage = shutil.disk_usage(path)
    return usage.free, min(reserve, int(usage.total * SHARE))


def is_short(settings: Settings, data: Path) -> bool:
    """Return whether our disk or the engine's has less free than half of what a push must find.

    So what began with just enough may still end. `data` is the engine's folder, which is not here
    if the engine is in another container.
    """
    folders = [settings.root, *([data] if data.is_dir() else ())]
    found = (space(folder, settings.disk_reserve) for folder in folders)
    return any(free < reserve * HALF for free, reserve in found)


@contextmanager
def watched(is_short: Callable[[], bool], stop: Callable[[], object]) -> Iterator[threading.Event]:
    """Call `stop` once the disk is short while the block runs; the event tells of it.

    Whoever cannot be asked fails elsewhere, and says so there.
    """
    full = threading.Event()

    def watch(over: threading.Event) -> None:
        with suppress(Unavailable, OSError):
            while not over.wait(LOOK):
                if is_short():
                    full.set()
                    stop()
                    return

    with alongside(watch):
        yield full


def require_space(settings: Settings, share: float = 1) -> None:
    """Raise DiskFull if the disk rule is broken; of what is at work, if less than HALF is left."""
    free, reserve = space(settings.root, settings.disk_reserve)
    needed = int(reserve * share)
    if free < needed:
        raise DiskFull(
            f"The disk is nearly full: {free // MB} MB free, {needed // MB} MB must stay free",
            hint="The host's owner should free some space (docker system df), then push again.",
        )
