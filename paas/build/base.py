"""The seam to building: a Source becomes a BuildPlan, a BuildPlan becomes an Image."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import BinaryIO, Protocol

from paas.manifest import Manifest
from paas.model import App, Finding, Image, ProcessType
from paas.reporter import Reporter
from paas.source import Source


@dataclass(frozen=True)
class BuildPlan:
    """A Dockerfile and how to use it. Made by looking at the source only; nothing has run yet."""

    builder: str  # "dockerfile" or the buildpack's name
    summary: str  # one line: "Python 3.13.5 (.python-version), uv (uv.lock), Flask"
    dockerfile: str
    processes: tuple[ProcessType, ...]  # of the Procfile, else the default
    trusted: bool = False  # our own Dockerfile: may use the stack image and cache mounts
    ignore: tuple[str, ...] = ()  # .dockerignore patterns, in order
    args: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    port: int | None = None  # None: the one EXPOSEd port, else 5000
    notes: tuple[str, ...] = ()  # shown under the summary: why a default was taken
    manifest: Manifest = field(default_factory=Manifest)  # of app.json
    cache: str = ""  # which of the app's cache mounts; another word begins with empty ones


class Builder(Protocol):
    """Turns pushed trees into images."""

    def check(self) -> tuple[Finding, ...]:
        """Return the part of `doctor` about stack, apt cache and build wall."""

    def plan(self, source: Source, chosen: Sequence[str] = ()) -> BuildPlan:
        """Detect; `chosen` are the builders that may build it, in the order they are asked.

        Raises BuildFailed: what was seen, what would match.
        """

    def buildpacks(self) -> tuple[str, ...]:
        """Return the names of the buildpacks, in the order they are asked."""

    def build(
        self, app: App, plan: BuildPlan, source: Source, reporter: Reporter, *, no_cache: bool
    ) -> Image:
        """Build with the engine. Raises BuildFailed with the last lines and the likely cause."""

    def adopt(self, app: App, image: str) -> Image:
        """Keep an image that was made of one of the app's, as if it had been built for it.

        Raises BuildFailed if it is too large; then it is removed.
        """

    def images(self, app: App) -> frozenset[str]:
        """Return the ids of the images that are kept for the app. Raises EngineUnavailable."""

    def remove_images(self, app: App, images: Collection[str]) -> None:
        """Keep these images no longer for the app. One that another app has too stays there.

        One that a container of the app still uses stays as it is. Raises EngineUnavailable.
        """

    def save_images(self, images: Collection[str], out: BinaryIO) -> None:
        """Write these images with all their layers. Raises EngineUnavailable, OSError."""

    def load_images(self, source: BinaryIO, images: Mapping[App, Collection[str]]) -> None:
        """Load what save_images() wrote, and keep {app: image ids} for the apps, as far as it came.

        Raises EngineUnavailable.
        """

    def load_source(self, app: App, source: BinaryIO, name: str) -> str:
        """Take the image `name` out of what docker save wrote; return what a Dockerfile calls it.

        Only the app's own builds may start from it. Raises SourceRefused, BuildFailed,
        EngineUnavailable.
        """

    def keep_source(self, app: App, alias: str | None) -> None:
        """Forget what load_source() gave, but for this one. Raises EngineUnavailable."""

    def tidy(self) -> None:
        """Remove what builds left in the engine's cache; for the background. Raises Unavailable.

        What this instance's builds keep there is held to settings.cache_budget.
        """

    def remove_orphans(self, apps: Collection[int]) -> int:
        """Remove images of apps whose ids are not among these, and of interrupted builds.

        No build may be at work. Return how many went. Raises EngineUnavailable.
        """
