"""Which framework, and the command that serves it: found by reading, nothing is imported."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from paas.source import Source

WSGI = re.compile(r"(?m)^WSGI_APPLICATION\s*=\s*[\"']([A-Za-z_][\w.]*)\.(\w+)[\"']", re.ASCII)
STATIC_ROOT = re.compile(r"^STATIC_ROOT\s*=", re.MULTILINE)
APP = r"^(\w+)\s*(?::[^=\n]+)?=\s*(?:\w+\.)?{}\("
FACTORY = re.compile(r"^def (create_app|make_app)\(", re.MULTILINE)
PYTHON_PATH = re.compile(r"(?:[A-Za-z_]\w*/)*[A-Za-z_]\w*\.py", re.ASCII)
# Where an app object usually stands, best first; then any file of the root, then of packages.
USUAL = ("wsgi.py", "asgi.py", "app.py", "main.py", "server.py", "application.py", "run.py")
SCRIPTS = ("main.py", "app.py", "server.py", "run.py", "bot.py", "start.py")
GUNICORN = "gunicorn --access-logfile -"


@dataclass(frozen=True)
class Framework:
    """`command` is a shell line; None when nothing is known that would start the app."""

    name: str = ""
    command: str | None = None
    missing_server: str = ""  # the distribution that serves it, when it is not a dependency
    manage: str = ""  # path of Django's manage.py
    has_static_root: bool = False
    notes: tuple[str, ...] = ()


def find_framework(source: Source, names: frozenset[str]) -> Framework:
    """Return the framework among the dependencies' `names`, with its command."""
    if "django" in names and (manage := _find_manage(source)):
        return _django(source, names, manage)
    if "fastapi" in names and (app := _find_app(source, "FastAPI")):
        return _fastapi(app, names)
    if "flask" in names and (app := _find_app(source, "Flask")):
        return _flask(app, names)
    for script in SCRIPTS:
        if source.has(script):
            return Framework(command=f"python {script}")
    return Framework()


@dataclass(frozen=True)
class _App:
    """`folder` is where imports start: "" or "src"."""

    folder: str
    module: str
    attribute: str
    is_factory: bool = False


def _django(source: Source, names: frozenset[str], manage: str) -> Framework:
    folder = manage.rpartition("/")[0]
    settings = [source.read(path) for path in _settings(source, folder)]
    match = next((found for text in settings if (found := WSGI.search(text))), None)
    wsgi = f"{match[1]}:{match[2]}" if match else _guess_wsgi(source, folder)
    chdir = f" --chdir {folder}" if folder else ""
    missing, notes = _serve_with("gunicorn", names)
    return Framework(
        "Django",
        f"{GUNICORN}{chdir} {wsgi}" if wsgi else None,
        missing_server=missing,
        manage=manage,
        has_static_root=any(STATIC_ROOT.search(text) for text in settings),
        notes=notes,
    )


def _fastapi(app: _App, names: frozenset[str]) -> Framework:
    missing, notes = _serve_with("uvicorn", names)
    flags = " --factory" if app.is_factory else ""
    flags += f" --app-dir {app.folder}" if app.folder else ""
    command = f"uvicorn --host 0.0.0.0 --port $PORT{flags} {app.module}:{app.attribute}"
    return Framework("FastAPI", command, missing_server=missing, notes=notes)


def _flask(app: _App, names: frozenset[str]) -> Framework:
    missing, notes = _serve_with("gunicorn", names)
    path = f" --pythonpath {app.folder}" if app.folder else ""
    called = f"'{app.module}:{app.attribute}()'" if app.is_factory else ""
    command = f"{GUNICORN}{path} {called or f'{app.module}:{app.attribute}'}"
    return Framework("Flask", command, missing_server=missing, notes=notes)


def _serve_with(server: str, names: frozenset[str]) -> tuple[str, tuple[str, ...]]:
    """Add a real server where there is none, and say so: development servers are not for that."""
    if server in names:
        return "", ()
    return server, (f"{server} is not among the dependencies: its newest version is added",)


def _find_manage(source: Source) -> str | None:
    found = [path for pattern in ("manage.py", "*/manage.py") for path in source.glob(pattern)]
    return next((path for path in found if PYTHON_PATH.fullmatch(path)), None)


def _settings(source: Source, folder: str) -> Iterator[str]:
    base = f"{folder}/" if folder else ""
    for pattern in ("*/settings.py", "*/settings/*.py", "settings.py", "*/*/settings.py"):
        yield from source.glob(base + pattern)


def _guess_wsgi(source: Source, folder: str) -> str | None:
    base = f"{folder}/" if folder else ""
    for path in source.glob(f"{base}*/wsgi.py"):
        if PYTHON_PATH.fullmatch(path):
            return f"{_module(path.removeprefix(base))}:application"
    return None


def _find_app(source: Source, called: str) -> _App | None:
    """Return the first file that makes the app object by calling `called`, or else a factory."""
    pattern = re.compile(APP.format(called), re.MULTILINE | re.ASCII)
    texts = {path: source.read(path) for path in _candidates(source)}
    for path, text in texts.items():
        if match := pattern.search(text):
            return _App(*_split(path), match[1])
    for path, text in texts.items():
        if (match := FACTORY.search(text)) and called in text:
            return _App(*_split(path), match[1], is_factory=True)
    return None


def _candidates(source: Source) -> list[str]:
    usual = [f"{folder}{name}" for folder in ("", "app/", "src/", "api/") for name in USUAL]
    globs = ("*.py", "*/__init__.py", "*/app.py", "*/main.py", "src/*.py", "src/*/*.py")
    found = [path for path in usual if source.has(path)]
    found += [path for pattern in globs for path in source.glob(pattern)]
    skipped = ("tests/", "test_", "conftest", "docs/")
    candidates = [p for p in dict.fromkeys(found) if not p.startswith(skipped)]
    return [path for path in candidates if PYTHON_PATH.fullmatch(path)][:100]


def _split(path: str) -> tuple[str, str]:
    folder, _, rest = path.partition("/")
    if folder == "src" and rest:
        return folder, _module(rest)
    return "", _module(path)


def _module(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
