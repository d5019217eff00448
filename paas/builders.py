"""Which builder an app's code goes to, and which files of it are read: builder:set and the like."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from paas.build.base import BuildPlan
from paas.errors import BuildFailed, InvalidName, UsageError
from paas.model import App
from paas.platform import Platform
from paas.source import Source
from paas.view import open_view

SELECTED, BUILD_DIR = "selected", "build-dir"
DOCKERFILE, BUILDPACK = "dockerfile", "buildpack"
PACKS = "buildpacks"  # a topic of properties; its one key holds names, parted by spaces
LIST = "list"
CACHE, SINCE = "build-cache", "since"
FILE = ".buildpacks"
PATH = re.compile(r"[A-Za-z0-9._@+ -]+(?:/[A-Za-z0-9._@+ -]+)*", re.ASCII)
OTHERS = ("herokuish", "pack", "nixpacks", "railpack", "lambda", "null")
# What Heroku and herokuish call buildpacks whose work ours do.
ALIASES = {"nodejs": "node", "python": "python", "static": "static", "nginx": "static"}
HEROKU = re.compile(
    r"(?:https://github\.com/)?heroku/(?:heroku-)?(?:buildpack-)?([a-z]+)(?:\.git)?"
)


def _path(value: str) -> str:
    parts = value.split("/")
    if not PATH.fullmatch(value) or not {".", "..", ".git"}.isdisjoint(parts):
        raise InvalidName(f"{value!r} is not a path in a repository", hint="Give one like deploy/x")
    return value


def _selected(value: str) -> str:
    if value in OTHERS:
        raise InvalidName(
            f"There is no builder {value} here",
            hint="buildpack does what it would, with the buildpacks of paas: buildpacks:list APP",
        )
    if value not in {DOCKERFILE, BUILDPACK}:
        raise InvalidName(f"{value!r} is not a builder", hint="There are: dockerfile, buildpack")
    return value


KEYS: Mapping[str, Mapping[str, Callable[[str], str]]] = {
    "builder": {SELECTED: _selected, BUILD_DIR: _path},
    "builder-dockerfile": {"dockerfile-path": _path},
    "app-json": {"appjson-path": _path},
    "procfile": {"procfile-path": _path},  # typed as ps:set procfile-path
}
READ = {
    "Dockerfile": ("builder-dockerfile", "dockerfile-path"),
    "app.json": ("app-json", "appjson-path"),
    "Procfile": ("procfile", "procfile-path"),
}


def set_property(platform: Platform, app: App | None, topic: str, key: str, value: str) -> None:
    """Store a property of an app, or of all apps; "" clears it. Raises UsageError, InvalidName."""
    known = KEYS[topic]
    if key not in known:
        raise UsageError(f"{key!r} is not a property here", hint=f"There is: {', '.join(known)}")
    if value:
        known[key](value)
    platform.store.properties.set(app.id if app else None, topic, key, value or None)


def computed(platform: Platform, app: App, topic: str, key: str) -> str | None:
    """Return what holds for the app: its own, else that of all apps."""
    properties = platform.store.properties
    return properties.get(app.id, topic).get(key) or properties.get(None, topic).get(key)


def view_of(platform: Platform, app: App, source: Source) -> Source:
    """Return what the app's builder is to see of a source. Raises BuildFailed."""
    chosen = {name: computed(platform, app, *where) for name, where in READ.items()}
    names = {name: path for name, path in chosen.items() if path and path != name}
    return open_view(source, computed(platform, app, "builder", BUILD_DIR) or "", names)


def plan(platform: Platform, app: App, source: Source) -> BuildPlan:
    """Return how what view_of() gave is built. Raises BuildFailed."""
    found = platform.builder.plan(source, chosen_of(platform, app, source))
    cache = platform.store.properties.get(app.id, CACHE).get(SINCE, "")
    return replace(found, cache=f"-{cache}" if cache else "")


def purge_cache(platform: Platform, app: App) -> None:
    """Let the app's next builds begin with empty cache mounts.

    The old ones are removed with what was not used for longest, when the cache is over its budget.
    """
    platform.store.properties.set(app.id, CACHE, SINCE, str(time.time_ns()))


def chosen_of(platform: Platform, app: App, source: Source) -> tuple[str, ...]:
    """Return the builders that may build it, in the order they are asked; none: all that match.

    They are what builder:set says, else the buildpacks that are set, else the file `.buildpacks`.
    """
    selected = computed(platform, app, "builder", SELECTED)
    if selected == DOCKERFILE:
        return (DOCKERFILE,)
    names = buildpacks(platform, app) or _check(platform, _listed(source))
    return names or ((BUILDPACK,) if selected == BUILDPACK else ())


def buildpacks(platform: Platform, app: App) -> tuple[str, ...]:
    """Return the buildpacks that are set for the app."""
    return tuple(platform.store.properties.get(app.id, PACKS).get(LIST, "").split())


def set_buildpacks(platform: Platform, app: App, names: Sequence[str]) -> None:
    """Store the app's buildpacks, in the order they are asked."""
    platform.store.properties.set(app.id, PACKS, LIST, " ".join(names))


def buildpack_name(platform: Platform, text: str) -> str:
    """Return the name of one of our buildpacks. Raises InvalidName, also for foreign ones."""
    known = platform.builder.buildpacks()
    found = HEROKU.fullmatch(text)
    name = ALIASES.get(found[1], found[1]) if found else ALIASES.get(text, text)
    if name in known:
        return name
    hint = f"There are: {', '.join(known)}; for all else commit a Dockerfile"
    if "/" in text or ":" in text:
        raise InvalidName(
            f"{text!r} is foreign code that would run in builds: only paas's own buildpacks do",
            hint=hint,
        )
    raise InvalidName(f"There is no buildpack {text!r}", hint=hint)


def _check(platform: Platform, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names in a `.buildpacks` file as ours. Raises BuildFailed."""
    try:
        return tuple(buildpack_name(platform, name) for name in names)
    except InvalidName as error:
        raise BuildFailed(f"{FILE}: {error.message}", hint=error.hint) from error


def _listed(source: Source) -> tuple[str, ...]:
    if not source.has(FILE):
        return ()
    lines = (line.split("#")[0].strip() for line in source.read(FILE).splitlines())
    return tuple(line for line in lines if line)
