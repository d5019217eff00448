"""The disk rule: a push is refused when less is free than min(5 GB, 15 %)."""

import shutil
from pathlib import Path

from paas.errors import DiskFull
from paas.settings import MB, Settings

SHARE = 0.15


def space(path: Path, reserve: int) -> tuple[int, int]:
    """Return (free bytes, bytes that must stay free) of the file system that holds `path`."""
    usage = shutil.disk_usage(path)
    return usage.free, min(reserve, int(usage.total * SHARE))


def require_space(settings: Settings) -> None:
    """Raise DiskFull if the disk rule is broken."""
    free, needed = space(settings.root, settings.disk_reserve)
    if free < needed:
        raise DiskFull(
            f"The disk is nearly full: {free // MB} MB free, {needed // MB} MB must stay free",
            hint="The host's owner should free some space (docker system df), then push again.",
        )
