"""A real builder on a real engine, with an instance id and images of its own."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import docker

from paas.build.base import BuildPlan
from paas.build.builder import EngineBuilder
from paas.model import App, Image, ProcessType
from paas.settings import Settings
from tests import claims
from tests.contracts.engines import stack_image
from tests.fakes.reporting import make_reporter
from tests.fakes.source import TreeSource

STACK_BUILD = "paas/stack-build:trixie"  # made by `bootstrap.sh test`
INSTANCE = f"bt{claims.block()}"
SHOP, BLOG = App(1, "shop", 0, 0.0), App(12, "blog", 1, 0.0)
WEB = (ProcessType("web", None),)


@dataclass(frozen=True)
class Workshop:
    """An EngineBuilder and its engine."""

    settings: Settings
    logins: dict[str, tuple[str, str]]
    api: docker.APIClient

    @property
    def builder(self) -> EngineBuilder:
        return EngineBuilder(self.settings, lambda: self.logins)

    def build(
        self,
        dockerfile: str,
        files: Mapping[str, str] | None = None,
        *,
        app: App = SHOP,
        no_cache: bool = False,
        args: Mapping[str, str] | None = None,
    ) -> tuple[Image, str]:
        """Build as a user's Dockerfile; return the image and what the reporter wrote."""
        plan = BuildPlan("dockerfile", "Dockerfile", dockerfile, WEB, args=args or {})
        reporter, screen = make_reporter()
        image = self.builder.build(app, plan, TreeSource(files or {}), reporter, no_cache=no_cache)
        return image, screen.text

    def changed(self, **settings: object) -> "Workshop":
        """Return the same workshop with other settings."""
        return replace(self, settings=replace(self.settings, **settings))  # type: ignore[arg-type] # names are checked at run time


@contextlib.contextmanager
def open_workshop(url: str, root: Path, instance: str = INSTANCE) -> Iterator[Workshop]:
    """Give the instance its stack, and remove all its images at the end."""
    settings = Settings(root=root, instance=instance, engine=url, apt_cache="off")
    with contextlib.closing(docker.APIClient(url, timeout=120)) as api:
        _tag(api, stack_image(url), settings.stack)
        _tag(api, STACK_BUILD, settings.stack_build)
        try:
            yield Workshop(settings, {}, api)
        finally:
            for image in api.images():
                for name in image["RepoTags"] or ():
                    if name.startswith(f"{instance}/"):
                        api.remove_image(name)


def _tag(api: docker.APIClient, image: str, name: str) -> None:
    repository, _, tag = name.rpartition(":")
    api.tag(image, repository, tag)
