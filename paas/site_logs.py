"""What nginx writes for one app: its requests, and its own troubles with them."""

import time
from collections.abc import Iterator
from pathlib import Path

from paas.model import app_name
from paas.settings import Settings

POLL = 0.25  # seconds between looks for new lines
BLOCK = 256 * 1024  # the part of a file's end in which the last lines are looked for


def log_folder(settings: Settings) -> Path:
    """Return the folder of the logs."""
    return settings.logs / "nginx"


def access_log(settings: Settings, app: str) -> Path:
    """Return the path of the app's access log."""
    return log_folder(settings) / f"{app_name(app)}.log"


def error_log(settings: Settings, app: str) -> Path:
    """Return the path of the app's error log."""
    return log_folder(settings) / f"{app_name(app)}.error.log"


def remove_logs(settings: Settings, app: str) -> None:
    """Remove what nginx wrote for an app that is destroyed: the next of its name is another's."""
    for file in _files(settings, app):
        file.unlink(missing_ok=True)


def rename_logs(settings: Settings, app: str, name: str) -> None:
    """Let an app take what nginx wrote for it along to its new name; nobody else shall find it."""
    remove_logs(settings, name)
    for file in _files(settings, app):
        file.rename(file.with_name(f"{name}{file.name.removeprefix(app)}"))


def _files(settings: Settings, app: str) -> list[Path]:
    """Return the app's logs, with those that were put aside."""
    paths = (access_log(settings, app), error_log(settings, app))
    return [file for path in paths for file in path.parent.glob(f"{path.name}*")]


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a file, as far as they stand in its last 256 KiB; [] if missing."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - BLOCK, 0))
        return file.read().decode(errors="replace").splitlines()[-count:]


def follow(path: Path) -> Iterator[str]:
    """Yield the lines that are written from now on, also after the file was replaced; no end."""
    place = path.stat().st_size if path.exists() else 0
    identity = path.stat().st_ino if path.exists() else None
    rest = b""
    while True:
        time.sleep(POLL)
        if not path.exists():
            continue
        seen = path.stat()
        if seen.st_ino != identity or seen.st_size < place:
            identity, place, rest = seen.st_ino, 0, b""
        with path.open("rb") as file:
            file.seek(place)
            data = file.read()
        place += len(data)
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode(errors="replace") for line in lines)
