"""Which package manager, and which files its layer depends on."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from paas.errors import BuildFailed
from paas.source import Source

PINNED = re.compile(r"(npm|yarn|pnpm)@(\d+\.\d+\.\d+)(?:[+-].*)?", re.ASCII)
LOCKFILE_VERSION = re.compile(r"^lockfileVersion: *['\"]?(\d+)\.(\d+)", re.MULTILINE)
LOCKS = {"npm": ("package-lock.json", "npm-shrinkwrap.json"), "yarn": ("yarn.lock",)}
LOCKS["pnpm"] = ("pnpm-lock.yaml",)
CONFIGS = (".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", "pnpm-workspace.yaml")
INSTALL_SCRIPTS = ("preinstall", "install", "postinstall", "prepare", "prepublish")
SECTIONS = ("dependencies", "devDependencies", "optionalDependencies")
BERRY = 2  # yarn's first version of the new kind


@dataclass(frozen=True)
class Manager:
    """`name` is npm, yarn, berry or pnpm; `package` is what npm installs to have it."""

    name: str
    package: str
    lock: str
    summary: str
    notes: tuple[str, ...] = ()


def find_manager(source: Source, package: Mapping[str, Any]) -> Manager:
    """Return the manager: `packageManager` decides, else the lock file, else it is npm."""
    locks = [(name, lock) for name, files in LOCKS.items() for lock in files if source.has(lock)]
    locks.sort(key=lambda pair: ("pnpm", "yarn", "npm").index(pair[0]))
    name, version = _pinned(package) or (locks[0][0] if locks else "npm", "")
    lock = next((lock for owner, lock in locks if owner == name), "")
    others = tuple(lock for owner, lock in locks if owner != name)
    notes = (f"{lock or name} is used, {others[0]} is not",) if others else ()
    kind = name
    if name == "yarn" and (_major(version) >= BERRY or source.has(".yarnrc.yml")):
        kind = "berry"
    words = f"{name} {version}".strip() + (f" ({lock})" if lock else "")
    return Manager(kind, _package(kind, version, source), lock, words, notes)


def read_manifests(source: Source, package: Mapping[str, Any]) -> tuple[str, ...]:
    """Return every file that an installation reads: manifests, locks, settings, patches."""
    names = ["package.json", *(lock for files in LOCKS.values() for lock in files), *CONFIGS]
    found = [name for name in names if source.has(name)]
    folders = [*source.glob(".yarn/releases/*"), *source.glob(".yarn/plugins/**/*")]
    folders += [*source.glob(".yarn/patches/*"), *source.glob("patches/*")]
    return (*found, *folders, *_workspaces(source, package))


def needs_whole_source(
    source: Source, package: Mapping[str, Any], scripts: Mapping[str, str]
) -> bool:
    """Whether installing runs the app's own scripts or reads packages inside the source."""
    values = [str(v) for name in SECTIONS for v in package.get(name, {}).values()]
    local = any(value.startswith(("file:", "link:", "portal:", "./", "../")) for value in values)
    has_script = any(name in scripts for name in INSTALL_SCRIPTS)
    return local or has_script or source.has("pnpm-workspace.yaml")


def _pinned(package: Mapping[str, Any]) -> tuple[str, str] | None:
    text = package.get("packageManager")
    if not isinstance(text, str):
        return None
    match = PINNED.fullmatch(text)
    if not match:
        raise BuildFailed(
            f"packageManager {text[:40]!r} is not supported",
            hint='Write npm, yarn or pnpm with a whole version: "pnpm@10.12.1".',
        )
    return match[1], match[2]


def _package(kind: str, version: str, source: Source) -> str:
    if kind == "npm":
        return f"npm@{version}" if version else ""  # else the one that fits this Node
    if kind == "pnpm":
        return f"pnpm@{version or _pnpm_line(source)}"
    return f"@yarnpkg/cli-dist@{version or 4}" if kind == "berry" else f"yarn@{version or 1}"


def _pnpm_line(source: Source) -> str:
    """Return the pnpm that reads this lock file: 5.4 is of pnpm 7, 6.x of 8, 9.0 of 9 and later."""
    text = source.read("pnpm-lock.yaml", limit=4096) if source.has("pnpm-lock.yaml") else ""
    match = LOCKFILE_VERSION.search(text)
    lines = {"5": "7", "6": "8"}
    return lines.get(match[1], "10") if match else "10"


def _major(version: str) -> int:
    return int(version.partition(".")[0]) if version else 0


def _workspaces(source: Source, package: Mapping[str, Any]) -> Iterator[str]:
    globs = package.get("workspaces", [])
    patterns = globs.get("packages", []) if isinstance(globs, dict) else globs
    for pattern in patterns:
        yield from source.glob(f"{str(pattern).removeprefix('./').rstrip('/')}/package.json")
