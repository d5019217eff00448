"""Whether builds leave room on the disk: BuildKit has no limit for what a step may write."""

from functools import cached_property
from pathlib import Path

from paas.build.rootfs import engine
from paas.disk import space
from paas.settings import Settings


class Room:
    """The disks of the engine's data and of ours, as long as one build runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def is_short(self) -> bool:
        """Return whether less is free than half of what a push must find.

        So a build that began with just enough may still end. Raises EngineUnavailable.
        """
        found = (space(path, self._settings.disk_reserve) for path in self._disks)
        return any(free < reserve / 2 for free, reserve in found)

    @cached_property
    def _disks(self) -> tuple[Path, ...]:
        """Asked for only when a build takes so long that somebody looks."""
        with engine(self._settings) as client:
            data = Path(str(client.info()["DockerRootDir"]))
        # An engine in another container names a folder that is not here.
        return (self._settings.root, data) if data.is_dir() else (self._settings.root,)
