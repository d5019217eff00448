"""EngineBuilder: detection, policy, base images, the build itself, and what it came to."""

import json
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, BinaryIO

from docker import APIClient
from docker.errors import ImageNotFound

from paas.build import loaded, trim
from paas.build.app_images import MAX_IMAGE, image_name, keep_image, named_images, repository
from paas.build.apt_cache import apt_cache_url
from paas.build.base import BuildPlan
from paas.build.buildpack import Buildpack, Stack, detect, load
from paas.build.check import check_apt_cache, check_stack
from paas.build.context import Context, make_context
from paas.build.dockerfile import CA_FILE, CONTEXT, Checked, Rules, check_dockerfile
from paas.build.engine_build import BuildRequest, run_build
from paas.build.explain import explain
from paas.build.images import load_images, save_images
from paas.build.leftovers import note_steps, take_notes
from paas.build.limits import check_limits, limited
from paas.build.orphans import remove_orphans
from paas.build.patience import bounded
from paas.build.progress import Progress
from paas.build.registry import Logins, ensure_image
from paas.build.room import Room
from paas.build.rootfs import engine
from paas.errors import BuildFailed
from paas.model import App, Finding, Image
from paas.reporter import Reporter
from paas.settings import Settings
from paas.source import Source

DOCKERFILE = "Dockerfile"  # in the tar's root, where the tree is not
MODERN = (1, 42)  # API of Engine 23, whose BuildKit knows heredocs, --link and --network
# The engine runs on this host; it calls processors by Go's names (GOARCH).
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


class EngineBuilder:
    """The Builder (base.py) on Docker Engine. `logins` gives the stored registry logins."""

    def __init__(self, settings: Settings, logins: Callable[[], Logins]) -> None:
        self._settings = settings
        self._logins = logins

    @cached_property
    def _packs(self) -> Sequence[Buildpack]:
        return load(self._settings.share / "buildpacks")

    def prepare(self) -> None:
        """Load the buildpacks: once before the forks, not in each child. Raises BuildFailed."""
        _ = self._packs

    def check(self) -> tuple[Finding, ...]:
        """Return the lines of `doctor` about stack, apt cache and build limits."""
        with engine(self._settings) as client:
            limits = check_limits(self._settings, str(client.info()["CgroupDriver"]))
        return (check_stack(self._settings), check_apt_cache(self._settings), limits)

    def plan(self, source: Source, chosen: Sequence[str] = ()) -> BuildPlan:
        stack = Stack(self._settings.stack, self._settings.stack_build)
        with bounded():
            return detect(source, stack, self._packs, chosen=chosen)

    def buildpacks(self) -> tuple[str, ...]:
        return tuple(pack.name for pack in self._packs)

    def build(
        self, app: App, plan: BuildPlan, source: Source, reporter: Reporter, *, no_cache: bool
    ) -> Image:
        with engine(self._settings) as client:
            api: APIClient = client.api
            checked = check_dockerfile(plan.dockerfile, self._rules(app, plan, api))
            self._ensure_bases(api, checked, reporter, refresh=no_cache)
            context = self._context(plan, checked, source)
            query = self._query(app, plan, reporter, no_cache=no_cache)
            progress = self._run(str(api.api_version), query, context, reporter)
            if not progress.image:
                raise explain(progress, checked.text)
            return keep_image(api, self._settings, app, progress.image)

    def adopt(self, app: App, image: str) -> Image:
        with engine(self._settings) as client:
            return keep_image(client.api, self._settings, app, image)

    def images(self, app: App) -> frozenset[str]:
        with engine(self._settings) as client:
            return frozenset(named_images(client.api, self._settings, app))

    def remove_images(self, app: App, images: Collection[str]) -> None:
        """Remove by the app's own names: the engine removes content with its last name."""
        with engine(self._settings) as client:
            for image, names in named_images(client.api, self._settings, app).items():
                for name in names if image in images else ():
                    loaded.remove_name(client.api, name)

    def save_images(self, images: Collection[str], out: BinaryIO) -> None:
        with engine(self._settings) as client:
            save_images(client.api, images, out)

    def load_images(self, source: BinaryIO, images: Mapping[App, Collection[str]]) -> None:
        names: dict[str, list[str]] = {}
        for app, ids in images.items():
            for image in ids:
                names.setdefault(image, []).append(image_name(self._settings, app, image))
        with engine(self._settings) as client:
            load_images(client.api, source, names)

    def load_source(self, app: App, source: BinaryIO, name: str) -> str:
        with engine(self._settings) as client:
            self._settings.run.mkdir(parents=True, exist_ok=True)
            image = loaded.load(client.api, source, name, self._settings.run, MAX_IMAGE)
            short = image.removeprefix("sha256:")[:12]
            client.api.tag(image, repository(self._settings, app), loaded.TAG + short)
        return loaded.alias_of(short)

    def keep_source(self, app: App, alias: str | None) -> None:
        with engine(self._settings) as client:
            known = loaded.aliases(client.api, repository(self._settings, app))
            for name in (known[each] for each in known if each != alias):
                loaded.remove_name(client.api, name)

    def tidy(self) -> None:
        """Remove from the engine's cache what earlier builds left there. Raises Unavailable.

        Asked only after builds: old engines add up all their disk use for the answer.
        """
        notes, spans = take_notes(self._settings.run / "contexts")
        if not notes:
            return
        ledger = self._settings.root / "build-cache.json"
        with engine(self._settings) as client:
            trim.tidy(client.api, spans, ledger, self._settings.cache_budget)
        for note in notes:
            note.unlink(missing_ok=True)

    def remove_orphans(self, apps: Collection[int]) -> int:
        """Remove images of apps that are not among these, and of interrupted builds."""
        with engine(self._settings) as client:
            return remove_orphans(client.api, self._settings, apps)

    def _rules(self, app: App, plan: BuildPlan, api: APIClient) -> Rules:
        settings = self._settings
        aliases = {"paas/stack": settings.stack, "paas/stack-build": settings.stack_build}
        names = {name: name for name in aliases.values()}
        if loaded.ALIAS in plan.dockerfile:
            aliases |= loaded.aliases(api, repository(settings, app))
        return Rules(
            instance=settings.instance,
            stacks=aliases | names,
            registries=frozenset(self._logins()),
            args=_arguments(plan),
            machine=MACHINES.get(os.uname().machine, os.uname().machine),
            modern=tuple(map(int, str(api.api_version).split("."))) >= MODERN,
            ca=settings.ca_bundle.is_file(),
        )

    def _ensure_bases(
        self, api: APIClient, checked: Checked, reporter: Reporter, *, refresh: bool
    ) -> None:
        for name in checked.stacks:
            try:
                api.inspect_image(name)  # type: ignore[no-untyped-call] # its stub lacks types
            except ImageNotFound:
                raise BuildFailed(
                    f"The stack image {name} is missing",
                    hint="The host's owner should run: paas setup",
                ) from None
        for name in checked.images:
            ensure_image(api, name, self._logins(), reporter, refresh=refresh)

    def _context(self, plan: BuildPlan, checked: Checked, source: Source) -> Context:
        extra = [(DOCKERFILE, checked.text.encode())]
        if self._settings.ca_bundle.is_file():
            extra.append((CA_FILE, self._settings.ca_bundle.read_bytes()))
        with bounded():
            return make_context(source, plan.ignore, CONTEXT, tuple(extra), int(time.time()))

    def _query(
        self, app: App, plan: BuildPlan, reporter: Reporter, *, no_cache: bool
    ) -> dict[str, str]:
        args = _arguments(plan) | self._own_arguments(app, plan.cache, reporter)
        # The stack's labels would be inherited: the image says itself what it is.
        labels = {"paas.instance": self._settings.instance, "paas.role": "app"}
        query = {"version": "2", "dockerfile": DOCKERFILE}
        query |= {"buildargs": json.dumps(args), "labels": json.dumps(labels)}
        return query | ({"nocache": "1"} if no_cache else {})

    def _run(
        self, version: str, query: Mapping[str, str], context: Context, reporter: Reporter
    ) -> Progress:
        attempts: list[Progress] = []

        def new_feed() -> Callable[[Mapping[str, Any]], None]:
            attempts.append(Progress(reporter))
            return attempts[-1].feed

        settings = self._settings
        request = BuildRequest(settings.engine, version, query, settings.build_timeout)
        try:
            with limited(settings):
                run_build(request, context, new_feed, Room(settings).is_short)
        finally:
            spans = (span for attempt in attempts for span in attempt.spans())
            note_steps(settings.run / "contexts", spans)
        attempts[-1].finish()
        return attempts[-1]

    def _own_arguments(self, app: App, cache: str, reporter: Reporter) -> dict[str, str]:
        """Return our build arguments: BuildKit keeps these out of cache keys and images."""
        arguments = {"BUILDKIT_CACHE_MOUNT_NS": f"{self._settings.instance}-{app.id}{cache}"}
        proxy = apt_cache_url(self._settings)
        if proxy:
            arguments |= {"http_proxy": proxy, "no_proxy": "localhost,127.0.0.1"}
        elif self._settings.apt_cache != "off":
            reporter.problem("The apt cache does not answer; the build goes on without it")
        return arguments


def _arguments(plan: BuildPlan) -> dict[str, str]:
    """Return the plan's own arguments; BUILDKIT_ ones steer the builder (a foreign frontend)."""
    return {k: v for k, v in plan.args.items() if not k.upper().startswith("BUILDKIT_")}
