"""A builder without an engine: it detects for real, and reads what a Dockerfile would come to."""

import hashlib
import re
import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from paas.build.base import BuildPlan
from paas.build.buildpack import Buildpack, Stack, detect, load
from paas.errors import BuildFailed, PaasError, SourceRefused
from paas.model import App, Finding, Image
from paas.reporter import Reporter
from paas.source import Source

BUILDPACKS = Path(__file__).parents[2] / "buildpacks"


@dataclass(frozen=True)
class Built:
    """One call of build()."""

    app: App
    plan: BuildPlan
    no_cache: bool


class FakeBuilder:
    """Implements paas.build.base.Builder in memory.

    A Dockerfile with `RUN exit 3` fails as the real one does. `error` is raised by the next build;
    while `gate` is not set, builds hang; `image` is returned instead of one made of the content.
    """

    def __init__(self) -> None:
        self.builds: list[Built] = []
        self.error: PaasError | None = None
        self.image: Image | None = None
        self.too_large = False  # what adopt() is asked for
        self.gate = threading.Event()
        self.gate.set()
        self.started = threading.Event()
        self.findings = (Finding("stack", "ok", "The stack is 0 days old"),)
        self.named: dict[int, set[str]] = {}  # app id -> images that are kept for it
        self.sources: dict[int, set[str]] = {}  # app id -> what was loaded for it
        self.left = 0  # contexts that tidy() has not removed
        self._known: set[str] = set()

    def check(self) -> tuple[Finding, ...]:
        return self.findings

    def plan(self, source: Source, chosen: Sequence[str] = ()) -> BuildPlan:
        stack = Stack("paas/stack:trixie", "paas/stack-build:trixie")
        return detect(source, stack, _packs(), chosen=chosen)

    def buildpacks(self) -> tuple[str, ...]:
        return tuple(pack.name for pack in _packs())

    def build(
        self, app: App, plan: BuildPlan, source: Source, reporter: Reporter, *, no_cache: bool
    ) -> Image:
        self.builds.append(Built(app, plan, no_cache))
        self.left += 1
        self.started.set()
        self.gate.wait()
        if self.error:
            error, self.error = self.error, None
            raise error
        self._run_steps(plan, reporter, no_cache=no_cache)
        image = self.image or _image(plan, source)
        self.named.setdefault(app.id, set()).add(image.id)
        return image

    def adopt(self, app: App, image: str) -> Image:
        if self.too_large:
            raise BuildFailed("The image has 9.0 GB, more than an app may have")
        self.named.setdefault(app.id, set()).add(image)
        return Image(id=image, size=1_000_000)

    def images(self, app: App) -> frozenset[str]:
        return frozenset(self.named.get(app.id, ()))

    def remove_images(self, app: App, images: Collection[str]) -> None:
        self.named.get(app.id, set()).difference_update(images)

    def save_images(self, images: Collection[str], out: BinaryIO) -> None:
        out.write("\n".join(sorted(images)).encode())

    def load_images(self, source: BinaryIO, images: Mapping[App, Collection[str]]) -> None:
        came = set(source.read().decode().split("\n"))
        for app, wanted in images.items():
            self.named[app.id] = came & set(wanted)

    def remove_orphans(self, apps: Collection[int]) -> int:
        gone = self.named.keys() - set(apps)
        for app in gone:
            del self.named[app]
        return len(gone)

    def load_source(self, app: App, source: BinaryIO, name: str) -> str:
        """Load a line that says the image's name."""
        content = source.read()
        if content != name.encode():
            raise SourceRefused(f"The image {name} is not in what was sent")
        alias = f"paas/loaded:{hashlib.sha256(content).hexdigest()[:12]}"
        self.sources.setdefault(app.id, set()).add(alias)
        return alias

    def keep_source(self, app: App, alias: str | None) -> None:
        self.sources[app.id] = self.sources.get(app.id, set()) & {alias or ""}

    def tidy(self) -> None:
        self.left = 0

    def _run_steps(self, plan: BuildPlan, reporter: Reporter, *, no_cache: bool) -> None:
        for number, command in enumerate(re.findall(r"^RUN (.*)$", plan.dockerfile, re.MULTILINE)):
            reporter.tool(f"[{number + 1}] RUN {command}")
            for words in re.findall(r"echo ([\w ]+)", command):
                reporter.tool(words.strip())
            if failed := re.search(r"exit ([1-9]\d*)", command):
                raise BuildFailed(
                    f"A build step exited with code {failed[1]}: RUN {command}",
                    details=reporter.tail()[-1:],
                    hint="Run the step on your machine, correct it, commit and push again.",
                )
        cached = plan.dockerfile in self._known and not no_cache
        self._known.add(plan.dockerfile)
        reporter.detail(f"1 steps, {1 if cached else 0} cached")


@cache
def _packs() -> tuple[Buildpack, ...]:
    return load(BUILDPACKS)


def _image(plan: BuildPlan, source: Source) -> Image:
    content = hashlib.sha256(plan.dockerfile.encode())
    for entry in source.entries():
        content.update(entry.path.encode() + b"\0" + source.open(entry.path))
    ports = sorted(
        int(port) for port in re.findall(r"^EXPOSE (\d+)", plan.dockerfile, re.MULTILINE)
    )
    return Image(
        id=f"sha256:{content.hexdigest()}",
        size=1_000_000,
        exposed=tuple(ports),
        volumes=tuple(re.findall(r"^VOLUME (\S+)", plan.dockerfile, re.MULTILINE)),
        command=tuple(
            re.findall(
                r'"([^"]+)"', "".join(re.findall(r"^CMD (.*)$", plan.dockerfile, re.MULTILINE))
            )
        ),
    )
