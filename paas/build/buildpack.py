"""Buildpacks: which of them builds a source, and the plan it makes. Looks only, runs nothing.

A buildpack is a folder under `buildpacks/` with three things: `buildpack.py` (the members of
`Rules`), `Dockerfile.j2`, and `examples/` whose sources and plans are its tests.
"""

import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, cast

import jinja2

from paas.build import app_json, procfile
from paas.build.base import BuildPlan
from paas.build.unmatched import explain
from paas.errors import BuildFailed
from paas.model import ProcessType
from paas.source import Source

DOCKERFILE, BUILDPACK = "Dockerfile", "buildpack"
# What may stand in a Dockerfile of ours: versions, ranges, file and package names. No quote, `$`,
# backslash, newline or leading dash, so no value can end its word or become an option.
SAFE = re.compile(r"[A-Za-z0-9_@.*~^<>=][A-Za-z0-9_./@+:*~^<>=|, -]{0,255}", re.ASCII)
MEMBERS = ("ORDER", "MARKERS", "detect", "plan")

Value = str | bool | tuple[str, ...]


@dataclass(frozen=True)
class Stack:
    """The images our Dockerfiles start from, and the Python that Debian put into them."""

    run: str
    build: str
    python: str = "3.13"


@dataclass(frozen=True)
class Recipe:
    """What a buildpack found: the words for its template, and how to start the app."""

    summary: str
    values: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    command: str | None = None  # of `web` when no Procfile says it; a shell line
    notes: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()  # .dockerignore patterns, before the source's own


class Rules(Protocol):
    """The members of a buildpack.py."""

    ORDER: int  # the smallest number that detects wins; examples: python 10, node 20, static 30
    MARKERS: tuple[str, ...]  # the files that make it match, shown when nothing matches

    def detect(self, source: Source) -> str | None:
        """Return the file that makes this a source of its kind, None if there is none."""

    def plan(self, source: Source, stack: Stack) -> Recipe:
        """Return the recipe. Raises BuildFailed for what it knows but cannot build."""


@dataclass(frozen=True)
class Buildpack:
    """A loaded folder."""

    name: str
    rules: Rules
    template: jinja2.Template


def load(folder: Path) -> tuple[Buildpack, ...]:
    """Return the buildpacks in `folder`, in the order they are asked.

    Templates see the whole folder, so one can include another's. Raises BuildFailed for a folder
    that lacks a member of Rules.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - not HTML; _checked() lets only harmless values in
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    packs = [_load_one(path, environment) for path in folder.glob("*/buildpack.py")]
    return tuple(sorted(packs, key=lambda pack: (pack.rules.ORDER, pack.name)))


def detect(
    source: Source, stack: Stack, packs: Sequence[Buildpack], *, chosen: Sequence[str] = ()
) -> BuildPlan:
    """Return the plan of the builder that fits: a Dockerfile, else the first buildpack.

    `chosen` are the builders that may build it, in the order they are asked: names of buildpacks,
    "buildpack" for all of them, "dockerfile". Raises BuildFailed when nothing matches, with what
    was seen and what would match, and for a source that cannot be built or started.
    """
    if chosen == (DOCKERFILE.lower(),) or (not chosen and source.has(DOCKERFILE)):
        return _plan_dockerfile(source)
    known = {pack.name: pack for pack in packs}
    is_any = not chosen or tuple(chosen) == (BUILDPACK,)
    candidates = packs if is_any else [known[name] for name in chosen if name in known]
    for pack in candidates:
        with _reading(pack.name):
            if pack.rules.detect(source):
                return _plan(pack, source, stack)
    markers = {pack.name: pack.rules.MARKERS for pack in candidates}
    raise explain(source, markers, None if is_any else " ".join(chosen), [p.name for p in packs])


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn a stumble over a manifest of the wrong shape (a list for an object) into BuildFailed."""
    try:
        yield
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError, re.error) as error:
        raise BuildFailed(
            f"Buildpack {name} cannot read the manifests: {type(error).__name__}: {error}"[:200],
            hint="Check that package.json, pyproject.toml and the lock files are well-formed.",
        ) from error


def _load_one(path: Path, environment: jinja2.Environment) -> Buildpack:
    """Import by path, as a package, so that a long buildpack can be several files."""
    name = path.parent.name
    qualified = f"paas_buildpacks.{name}"
    spec = importlib.util.spec_from_file_location(
        qualified, path, submodule_search_locations=[str(path.parent)]
    )
    if spec is None or spec.loader is None:
        raise BuildFailed(f"Buildpack {name} cannot be loaded from {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[qualified] = module
    spec.loader.exec_module(module)
    missing = [member for member in MEMBERS if not hasattr(module, member)]
    if missing:
        raise BuildFailed(f"Buildpack {name} lacks {missing[0]} in buildpack.py")
    template = environment.get_template(f"{name}/Dockerfile.j2")
    return Buildpack(name, cast("Rules", module), template)


def _plan(pack: Buildpack, source: Source, stack: Stack) -> BuildPlan:
    recipe = pack.rules.plan(source, stack)
    processes, notes = _processes(source, recipe.command, has_default=recipe.command is not None)
    manifest, unused = app_json.read_manifest(source)
    values = {name: _checked(value) for name, value in recipe.values.items()}
    return BuildPlan(
        builder=pack.name,
        summary=recipe.summary,
        dockerfile=pack.template.render(values, stack=stack),
        processes=processes,
        trusted=True,
        ignore=(*recipe.ignore, *_ignored(source)),
        notes=(*recipe.notes, *notes, *unused),
        manifest=manifest,
    )


def _plan_dockerfile(source: Source) -> BuildPlan:
    if not source.has(DOCKERFILE):
        raise BuildFailed(
            "There is no Dockerfile at the root of what was pushed",
            hint="Commit one, or let a buildpack be chosen: git push after builder:set APP ''",
        )
    processes, notes = _processes(source, None, has_default=True)
    manifest, unused = app_json.read_manifest(source)
    return BuildPlan(
        builder="dockerfile",
        summary=DOCKERFILE,
        dockerfile=source.read(DOCKERFILE),
        processes=processes,
        ignore=_ignored(source),
        notes=(*notes, *unused),
        manifest=manifest,
    )


def _processes(
    source: Source, command: str | None, *, has_default: bool
) -> tuple[tuple[ProcessType, ...], tuple[str, ...]]:
    """Return the Procfile's types; the default `web` stands in where the file starts nothing."""
    if source.has(procfile.NAME):
        declared = procfile.parse(source.read(procfile.NAME))
        if any(process.name != procfile.RELEASE for process in declared):
            silent = all(process.name != "web" for process in declared)
            return declared, ("Procfile has no web: no process answers HTTP",) if silent else ()
    else:
        declared = ()
    if not has_default:
        raise BuildFailed(
            "No command is known that starts this app",
            hint="Commit a Procfile that starts a server: web: ./server --port $PORT",
        )
    return (*declared, ProcessType("web", command)), _misspelt(source)


def _misspelt(source: Source) -> tuple[str, ...]:
    near = [name for name in source.glob("*") if name.lower() in {"procfile", "procfile.txt"}]
    wrong = [name for name in near if name != procfile.NAME]
    return tuple(f"{name} is not read: the name must be {procfile.NAME}" for name in wrong)


def _ignored(source: Source) -> tuple[str, ...]:
    """Return the patterns of .dockerignore, without empty lines and comments."""
    if not source.has(".dockerignore"):
        return ()
    lines = (line.strip() for line in source.read(".dockerignore").splitlines())
    return tuple(line for line in lines if line and not line.startswith("#"))


def _checked(value: Value) -> Value:
    """Return the value if it may stand in a Dockerfile (or is empty); else raise BuildFailed."""
    texts = (value,) if isinstance(value, str) else value if isinstance(value, tuple) else ()
    for text in texts:
        if (text and not SAFE.fullmatch(text)) or ".." in text.split("/"):
            raise BuildFailed(
                f"{text[:80]!r} cannot be written into a Dockerfile",
                hint="Use letters, digits and . _ - / in names of files and packages.",
            )
    return value
