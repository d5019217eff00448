"""Python: pip, uv or poetry; Django, FastAPI, Flask, or a script."""

import json

from paas.build.buildpack import Recipe, Stack, Value
from paas.source import Source

from .frameworks import Framework, find_framework
from .interpreter import find_interpreter
from .manifests import Manifests, declares_packages, read_manifests

ORDER = 10  # before node: a Django app with a package.json is Python
MARKERS = ("requirements.txt", "uv.lock", "poetry.lock", "pyproject.toml", "main.py", "app.py")
FOREIGN = ("Pipfile", "Pipfile.lock", "pdm.lock")  # recognised, so that plan() can say what to do
SCRIPTS = ("main.py", "app.py")
IGNORE = ("**/__pycache__", "**/*.pyc", ".venv", "venv")
COMPILE_FROM = 256 * 1024  # bytes of own code; below, compiling at start is cheaper than a step

# Debian packages by dependency, for the build and for the app. The stack has headers of libpq.
APT_BUILD = {
    "mysqlclient": ("default-libmysqlclient-dev",),
    "pycairo": ("libcairo2-dev",),
    "python-ldap": ("libldap-dev", "libsasl2-dev"),
}
APT_RUN = {
    "psycopg2": ("libpq5",),
    "psycopg": ("libpq5",),
    "mysqlclient": ("libmariadb3",),
    "pycairo": ("libcairo2",),
    "python-ldap": ("libldap2",),
    "python-magic": ("libmagic1t64",),
    "weasyprint": ("libpango-1.0-0", "libpangoft2-1.0-0"),
    "pdf2image": ("poppler-utils",),
    "pydub": ("ffmpeg",),
}


def detect(source: Source) -> str | None:
    """Return the first file that only a Python app has.

    A pyproject.toml that only configures tools, and scripts beside a package.json, do not count.
    """
    for name in (*MARKERS, *FOREIGN):
        if not source.has(name):
            continue
        if name == "pyproject.toml" and not declares_packages(source):
            continue
        if name in SCRIPTS and (source.has("package.json") or source.has("index.html")):
            continue
        return name
    return None


def plan(source: Source, stack: Stack) -> Recipe:
    """Return the recipe: interpreter, manager, framework, each with the file that says so."""
    manifests = read_manifests(source)
    interpreter = find_interpreter(source, manifests.pyproject, stack.python)
    framework = find_framework(source, manifests.names)
    static, static_note = _collects_static(source, framework)
    notes = (*interpreter.notes, *manifests.notes, *framework.notes, *static_note)
    parts = (interpreter.summary, manifests.summary, framework.name)
    return Recipe(
        summary=", ".join(part for part in parts if part),
        values={
            "version": interpreter.version,
            "stack_has_version": interpreter.is_stack_s,
            "collectstatic": static,
            "manage": framework.manage,
            "server": framework.missing_server,
            # uvicorn.run(app) stops when it is asked for workers, so only gunicorn is.
            "workers": "gunicorn" in {*manifests.names, framework.missing_server},
            "compile": not static and _own_code(source) > COMPILE_FROM,
            **_manifest_values(manifests),
        },
        command=framework.command,
        notes=notes,
        ignore=IGNORE,
    )


def _manifest_values(manifests: Manifests) -> dict[str, Value]:
    return {
        "manager": manifests.manager,
        "manifests": manifests.files,
        "whole_source": manifests.whole_source,
        "project": manifests.is_project,
        "apt_build": _apt(APT_BUILD, manifests.names),
        "apt_run": _apt(APT_RUN, manifests.names),
    }


def _apt(table: dict[str, tuple[str, ...]], names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted({package for name in names for package in table.get(name, ())}))


def _own_code(source: Source) -> int:
    return sum(entry.size for entry in source.entries() if entry.path.endswith(".py"))


def _collects_static(source: Source, framework: Framework) -> tuple[bool, tuple[str, ...]]:
    """Whether to run collectstatic, and why not. Config vars are not seen by builds."""
    if not framework.manage:
        return False, ()
    if _is_disabled(source):
        return False, ("collectstatic is off (DISABLE_COLLECTSTATIC in app.json)",)
    if not framework.has_static_root:
        return False, ("No settings file sets STATIC_ROOT: static files are not collected",)
    return True, ()


def _is_disabled(source: Source) -> bool:
    """Read app.json as Heroku's does: env.DISABLE_COLLECTSTATIC is a text, or an object's value."""
    if not source.has("app.json"):
        return False
    try:
        env = json.loads(source.read("app.json")).get("env", {})
        wish = env.get("DISABLE_COLLECTSTATIC", "")
        return str(wish.get("value", "") if isinstance(wish, dict) else wish) in {"1", "true"}
    except (ValueError, AttributeError):
        return False  # app.json has a reader of its own, which says what is wrong with it
