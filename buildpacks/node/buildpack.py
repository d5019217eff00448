"""Node: npm, yarn or pnpm; a server, or a site that a build step makes."""

import json
from typing import Any

from paas.build import procfile
from paas.build.buildpack import Recipe, Stack
from paas.errors import BuildFailed
from paas.source import Source

from .engine import find_node
from .managers import find_manager, needs_whole_source, read_manifests
from .site import Site, find_site
from .start import find_start

ORDER = 20
MARKERS = ("package.json",)
BUILD_SCRIPTS = ("heroku-postbuild", "build")  # the first of them is run
IGNORE = ("**/node_modules",)
NO_LOCK = "There is no lock file: versions are those of the first build. Commit package-lock.json"
WHOLE = "An install script or a local package needs the source: each push installs again"


def detect(source: Source) -> str | None:
    """Return package.json, unless it only configures the tools of a site without a build step."""
    if not source.has("package.json"):
        return None
    is_page = source.has("index.html") or source.has("public/index.html")
    return None if is_page and not _has_command(source) else "package.json"


def plan(source: Source, stack: Stack) -> Recipe:  # noqa: ARG001 - the seam gives the stack to all
    """Return the recipe of a server; without one, of the site that the build script makes."""
    package = _read(source)
    scripts = _scripts(package)
    node = find_node(source, package)
    manager = find_manager(source, package)
    build = next((name for name in BUILD_SCRIPTS if name in scripts), "")
    start = find_start(source, package, scripts)
    site = find_site(source, package, scripts) if build and not _has_procfile_web(source) else None
    if site is None and start is None and build:
        site = Site("site", "dist", fallback=True)
    whole = needs_whole_source(source, package, scripts)
    parts = (node.summary, manager.summary, site.summary if site else start and start.origin)
    notes = (*node.notes, *manager.notes)
    notes += () if manager.lock else (NO_LOCK,)
    notes += (WHOLE,) if whole else ()
    return Recipe(
        summary=", ".join(part for part in parts if part),
        values={
            "node": node.spec,
            "manager": manager.name,
            "manager_package": manager.package,
            "locked": bool(manager.lock),
            "allow_scripts": manager.name == "npm" and "allowScripts" not in package,
            "manifests": read_manifests(source, package),
            "whole_source": whole,
            "build": build,
            "in_place": bool(build) or whole or "workspaces" in package,
            "site": site is not None,
            "root": site.root if site else "",
            "fallback": site is not None and site.fallback,
            "hashed": True,
        },
        command="serve-site" if site else start.command if start else None,
        notes=notes,
        ignore=IGNORE,
    )


def _read(source: Source) -> dict[str, Any]:
    try:
        package = json.loads(source.read("package.json").removeprefix("\ufeff"))
    except ValueError as error:
        raise BuildFailed(f"package.json is not JSON: {error}", hint="Correct it.") from error
    if not isinstance(package, dict) or not isinstance(package.get("scripts", {}), dict):
        raise BuildFailed("package.json is not an object with scripts", hint="Correct it.")
    return package


def _has_command(source: Source) -> bool:
    package = _read(source)
    scripts = _scripts(package)
    builds = any(name in scripts for name in BUILD_SCRIPTS)
    return builds or bool(find_start(source, package, scripts)) or _has_procfile_web(source)


def _scripts(package: dict[str, Any]) -> dict[str, str]:
    return {k: v for k, v in package.get("scripts", {}).items() if isinstance(v, str)}


def _has_procfile_web(source: Source) -> bool:
    if not source.has(procfile.NAME):
        return False
    return any(p.name == "web" for p in procfile.parse(source.read(procfile.NAME)))
