import pytest

from paas.walls import LONGEST, recognise

SEEN = [
    ("KeyError: 'SECRET_KEY'", "config", "config:set shop SECRET_KEY=..."),
    ("Error: Missing required environment variable: API_TOKEN", "config", "API_TOKEN=..."),
    ("The DATABASE_URL environment variable is required", "config", "DATABASE_URL=..."),
    ("ImproperlyConfigured: Set the REDIS_URL environment variable", "config", "REDIS_URL=..."),
    ("UndefinedValueError: DEBUG_KEY not found. Declare it as envvar", "config", "DEBUG_KEY=..."),
    ("OSError: Read-only file system: '/app/data/x.db'", "read-only", "tmpfs /app/data=16m"),
    ("Error: EROFS: read-only file system, open '/app/log/x'", "read-only", "tmpfs /app/log=16m"),
    ("Error: EROFS: read-only file system, mkdir '/app/up'", "read-only", "tmpfs /app/up=16m"),
    ("sh: 1: cannot create /app/x: Read-only file system", "read-only", "writable-root true"),
    ("OSError: [Errno 30] Read-only file system: 'x.db'", "read-only", "writable-root true"),
    ("OSError: [Errno 30] Read-only file system: '/srv/shop'", "read-only", "tmpfs /srv=16m"),
    ("OSError: [Errno 30] Read-only file system: '/data'", "read-only", "tmpfs /data=16m"),
    ("OSError: [Errno 30] Read-only file system: '/etc/x'", "read-only", "write below /tmp"),
    ("OSError: [Errno 28] No space left on device: '/tmp/big'", "space", "tmp-size 256m"),
    ("ENOSPC: no space left on device, write", "space", "tmp-size 256m"),
    ("OSError: [Errno 28] No space left on device: '/data/up/x'", "space", "tmpfs /data/up=64m"),
    ("PermissionError: [Errno 13] Permission denied: '/data/x'", "permission", "run-as N"),
    ("Error: EACCES: permission denied, open '/root/x'", "permission", "run-as N"),
    ("KeyError: 'getpwuid(): uid not found: 200001'", "user", "run-as N"),
    ("sh: 1: gunicorn: not found", "command", "dependencies"),
    ("sh: 1: exec: gunicorn: not found", "command", "dependencies"),
    ("bash: node: command not found", "command", "dependencies"),
    ("ModuleNotFoundError: No module named 'flask'", "command", "dependencies"),
    ("Error: Cannot find module 'express'", "command", "dependencies"),
    ("[FATAL tini (7)] exec /bin/sh failed: No such file or directory", "command", "Procfile"),
    ("[FATAL tini (7)] exec /srv/app failed: No such file or directory", "command", "CMD"),
    ("[FATAL tini (7)] exec ./run failed: Permission denied", "command", "--chmod=+x"),
    ("[FATAL tini (7)] exec ./run failed: Exec format error", "command", "#!"),
    ("FATAL ERROR: JavaScript heap out of memory", "memory", "--process-type web --memory 1024m"),
    ("RuntimeError: can't start new thread", "processes", "pids 512"),
    ("Error: listen EADDRINUSE: address already in use :::5000", "port", "$PORT"),
    ("chown: changing ownership of '/data': Operation not permitted", "forbidden", "Dockerfile"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind", "hint"), SEEN)
def test_a_wall_is_named_with_the_command_that_opens_it(line: str, kind: str, hint: str) -> None:
    wall = recognise(["starting", line, "bye"], "shop", "web")
    assert wall is not None
    assert wall.kind == kind
    assert hint in wall.hint


def test_the_last_wall_counts() -> None:
    wall = recognise(["KeyError: 'A_KEY'", "KeyError: 'B_KEY'"], "shop", "web")
    assert str(wall) == "The variable B_KEY is not set for shop. Try: config:set shop B_KEY=..."


@pytest.mark.parametrize(
    "line", ["", "KeyError: 'user'", "GET / 200", "listening on 5000", "Cannot find module './x'"]
)
def test_ordinary_lines_are_no_wall(line: str) -> None:
    assert recognise([line], "shop", "web") is None


def test_a_long_line_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "x" * LONGEST + " KeyError: 'SECRET_KEY'"
    assert recognise([line], "shop", "web") is None
    monkeypatch.setattr("paas.walls.LONGEST", len(line))
    assert recognise([line], "shop", "web")
