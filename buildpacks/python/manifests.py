"""Which package manager, which files its layer depends on, and what they bring."""

import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from paas.errors import BuildFailed
from paas.source import Source

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
INCLUDE = re.compile(r"(?:-r|--requirement|-c|--constraint)[ =]*(\S+)")
LOCAL = re.compile(r"(?:-e|--editable)\b|\.{0,2}/|\.$|\.\[|file:|[\w.-]+\s*@\s*file:")
FOREIGN = {
    "pdm.lock": "pdm export --prod -o requirements.txt",
    "Pipfile.lock": "pipenv requirements > requirements.txt",
    "Pipfile": "pipenv lock && pipenv requirements > requirements.txt",
}


@dataclass(frozen=True)
class Manifests:
    """What the dependency layer is made from. `manager` is uv, poetry, pip, pyproject or none."""

    manager: str
    summary: str
    files: tuple[str, ...]
    names: frozenset[str]  # of the distributions, normalised
    pyproject: Mapping[str, Any]
    whole_source: bool = False  # the manifests point into the source
    is_project: bool = False  # the source is itself a distribution to install
    notes: tuple[str, ...] = ()


def declares_packages(source: Source) -> bool:
    """Whether pyproject.toml describes a project, not only the settings of tools."""
    pyproject = _toml(source, "pyproject.toml")
    return "project" in pyproject or "poetry" in pyproject.get("tool", {})


def read_manifests(source: Source) -> Manifests:
    """Return the manifests of the first manager that has its file.

    Raises BuildFailed for a manager that is not supported, with the command that helps.
    """
    pyproject = _toml(source, "pyproject.toml")
    if source.has("uv.lock"):
        return _locked(source, pyproject, "uv")
    if source.has("poetry.lock"):
        return _locked(source, pyproject, "poetry")
    if source.has("requirements.txt"):
        return _pip(source, pyproject)
    for name, command in FOREIGN.items():
        if source.has(name):
            raise BuildFailed(
                f"{name} is not supported", hint=f"Run `{command}` and commit requirements.txt."
            )
    if declares_packages(source):
        return _unlocked(source, pyproject)
    note = "No dependencies: there is no requirements.txt, uv.lock or poetry.lock"
    return Manifests("none", "", (), frozenset(), pyproject, notes=(note,))


def _locked(source: Source, pyproject: Mapping[str, Any], manager: str) -> Manifests:
    lock = f"{manager}.lock"
    if not source.has("pyproject.toml"):
        raise BuildFailed(f"{lock} stands without a pyproject.toml", hint="Commit both files.")
    packages = _toml(source, lock).get("package", [])
    members = _members(source, pyproject) if manager == "uv" else ()
    local = [p for p in packages if _is_local(p)]
    return Manifests(
        manager,
        f"{manager} ({lock})",
        ("pyproject.toml", lock, *members),
        frozenset(normalise(str(package.get("name", ""))) for package in packages),
        pyproject,
        whole_source=bool(local),
        is_project=not local and _is_project(source, pyproject),
        notes=_others(source, lock),
    )


def _pip(source: Source, pyproject: Mapping[str, Any]) -> Manifests:
    files = tuple(_included(source, "requirements.txt", set()))
    lines = [line for file in files for line in _requirements(source, file)]
    local = any(LOCAL.match(line) for line in lines)
    names = (NAME.match(line) for line in lines)
    note = "requirements.txt points into the source, so each push installs again"
    return Manifests(
        "pip",
        "pip (requirements.txt)",
        files,
        frozenset(normalise(match[0]) for match in names if match),
        pyproject,
        whole_source=local,
        notes=(note,) if local else (),
    )


def _unlocked(source: Source, pyproject: Mapping[str, Any]) -> Manifests:
    if "project" not in pyproject:
        raise BuildFailed(
            "pyproject.toml is Poetry's, and there is no poetry.lock",
            hint="Run `poetry lock` and commit poetry.lock.",
        )
    project = pyproject["project"]
    names = (NAME.match(str(line)) for line in project.get("dependencies", []))
    return Manifests(
        "pyproject",
        "uv (pyproject.toml)",
        ("pyproject.toml",),
        frozenset(normalise(match[0]) for match in names if match),
        pyproject,
        whole_source="dependencies" in project.get("dynamic", []),
        is_project=_is_project(source, pyproject),
        notes=("There is no lock file: versions are those of the first build. Try: uv lock",),
    )


def normalise(name: str) -> str:
    """Return the name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _included(source: Source, path: str, seen: set[str]) -> Iterator[str]:
    """Yield the file and those it includes with -r and -c, each once."""
    if path in seen:
        return
    if not source.has(path):
        raise BuildFailed(f"{path} is included but not there", hint="Commit it, or drop the line.")
    seen.add(path)
    yield path
    for line in _requirements(source, path):
        match = INCLUDE.match(line)
        if match and "://" not in match[1]:
            joined = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
            yield from _included(source, joined, seen)


def _requirements(source: Source, path: str) -> Iterator[str]:
    for raw in source.read(path).removeprefix("\ufeff").splitlines():
        line = re.split(r"(?:^|\s)#", raw)[0].strip()
        if line:
            yield line


def _members(source: Source, pyproject: Mapping[str, Any]) -> tuple[str, ...]:
    workspace = pyproject.get("tool", {}).get("uv", {}).get("workspace", {})
    globs = [f"{str(member).rstrip('/')}/pyproject.toml" for member in workspace.get("members", [])]
    return tuple(sorted({path for pattern in globs for path in source.glob(pattern)}))


def _is_local(package: Mapping[str, Any]) -> bool:
    """Whether a locked package is a folder of the source other than the project itself."""
    origin = package.get("source", {})
    path = origin.get("editable") or origin.get("directory") or origin.get("path")
    if origin.get("type") in {"directory", "file"}:  # poetry's words
        return True
    return path is not None and path != "."


def _is_project(source: Source, pyproject: Mapping[str, Any]) -> bool:
    """Whether the source is a distribution whose package (or script) must be installed."""
    tool = pyproject.get("tool", {})
    project = pyproject.get("project", {})
    poetry = tool.get("poetry", {})
    packaged = tool.get("uv", {}).get("package", True) and poetry.get("package-mode", True)
    if "build-system" not in pyproject or not packaged:
        return False
    name = normalise(str(project.get("name") or poetry.get("name") or "")).replace("-", "_")
    has_scripts = "scripts" in project or "scripts" in poetry
    return (
        has_scripts or bool(source.glob("src/*/__init__.py")) or source.has(f"{name}/__init__.py")
    )


def _others(source: Source, used: str) -> tuple[str, ...]:
    names = ("poetry.lock", "pdm.lock", "Pipfile.lock", "requirements.txt")
    others = [name for name in names if name != used and source.has(name)]
    return (f"{used} is used, {others[0]} is not",) if others else ()


def _toml(source: Source, path: str) -> dict[str, Any]:
    if not source.has(path):
        return {}
    try:
        return tomllib.loads(source.read(path, limit=8 * 1024 * 1024))
    except tomllib.TOMLDecodeError as error:
        raise BuildFailed(f"{path} is not TOML: {error}", hint="Correct it and push.") from error
