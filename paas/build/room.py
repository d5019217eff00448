"""Whether builds leave room on the disk: BuildKit has no limit for what a step may write."""

from functools import cached_property
from pathlib import Path

from paas.build.rootfs import engine
from paas.disk import is_short
from paas.settings import Settings


class Room:
    """The disks of the engine and of paas, as long as one build runs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def is_short(self) -> bool:
        """Return whether a build should be ended; see disk.is_short(). Raises EngineUnavailable."""
        return is_short(self._settings, self._data)

    @cached_property
    def _data(self) -> Path:
        """Asked for only when a build takes so long that somebody looks."""
        with engine(self._settings) as client:
            return Path(str(client.info()["DockerRootDir"]))
