"""Logs that outlive their containers: written when a process retires, within a budget per app.

`<log>/apps/<app id>/v12-web.1-40.log.gz` is what web.1 of release v12 wrote, started by deploy 40;
`failed-41-web.1-41.log.gz` is of a process that never became current. The oldest go first.
"""

import gzip
import heapq
import logging
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

from paas.errors import InvalidName, PaasError
from paas.model import App, Container, ContainerRole
from paas.platform import Platform
from paas.schedulers.base import LogLine

TOPIC = "logs"
LINES = 10_000  # of one container, the last ones
LINE_BYTES = 16 * 1024
MEGABYTES = {"kept-size": (10, 1000), "max-size": (10, 100)}  # default and most, per property
NAME = re.compile(r"(v[0-9]+|failed-[0-9]+)-([a-z][a-z0-9_-]*\.[0-9]+)-[0-9]+\.log\.gz", re.ASCII)
log = logging.getLogger("paas")


def megabytes(platform: Platform, app_id: int, key: str) -> int:
    """Return `kept-size` (all kept logs of the app) or `max-size` (each file of a process)."""
    stored = platform.store.properties.get(app_id, TOPIC).get(key)
    stored = stored or platform.store.properties.get(None, TOPIC).get(key)
    return int(stored) if stored else MEGABYTES[key][0]


def parse_megabytes(key: str, text: str) -> str:
    """Return a size as it is stored: whole megabytes of `20m`. Raises InvalidName."""
    match = re.fullmatch(r"([1-9][0-9]{0,3})[mM]", text, re.ASCII)
    if not match or int(match[1]) > MEGABYTES[key][1]:
        raise InvalidName(
            f"{text!r} is no {key}", hint=f"Give megabytes: 1m to {MEGABYTES[key][1]}m."
        )
    return match[1]


def folder(platform: Platform, app_id: int) -> Path:
    """Return where the kept logs of an app are."""
    return platform.settings.logs / "apps" / str(app_id)


def keeper(platform: Platform, rows: Sequence[Container]) -> Callable[[str], None]:
    """Return a function that keeps the log of the row with this container id; it never fails.

    What it needs of the database is read now: it may be called in other threads.
    """
    files = {row.id: (row.process, _path(platform, row)) for row in rows if row.id}

    def keep(container_id: str) -> None:
        process, path = files[container_id]
        try:
            _write(path, platform.scheduler.logs({container_id: process}, LINES, follow=False))
        except (PaasError, OSError) as error:
            log.warning("the log of %s is not kept: %s", path.name, error)

    return keep


def trim(platform: Platform, app_id: int) -> None:
    """Remove the oldest kept logs of an app beyond its budget."""
    budget = megabytes(platform, app_id, "kept-size") * 1024 * 1024
    for path in reversed(_files(platform, app_id)):
        with suppress(FileNotFoundError):
            budget -= path.stat().st_size
            if budget < 0:
                path.unlink()


def remove(platform: Platform, app_id: int) -> None:
    """Remove all kept logs of an app."""
    shutil.rmtree(folder(platform, app_id), ignore_errors=True)


def releases(platform: Platform, app: App) -> list[str]:
    """Return the words (`v12`, `failed-41`) of which logs are kept, the newest last."""
    words = (match[1] for path in _files(platform, app.id) if (match := NAME.fullmatch(path.name)))
    return list(dict.fromkeys(words))


def read(
    platform: Platform, app: App, word: str | None = None, process: str | None = None
) -> Iterator[LogLine]:
    """Yield the kept lines of a release or a failed deploy (default: of all), by time.

    `process` is a type (`web`) or one process (`web.1`).
    """
    found = [
        _lines(path, match[2])
        for path in _files(platform, app.id)
        if (match := NAME.fullmatch(path.name))
        and word in {None, match[1]}
        and process in {None, match[2], match[2].rpartition(".")[0]}
    ]
    return heapq.merge(*found, key=lambda line: line.at)


def version_of(platform: Platform, row: Container) -> int | None:
    """Return the release that a process belongs to: the last one when its deploy began."""
    made = platform.store.releases.list(row.app_id)
    return next((r.version for r in made if r.deploy_id <= row.deploy_id), None)


def _path(platform: Platform, row: Container) -> Path:
    version = None if row.role is ContainerRole.STARTING else version_of(platform, row)
    word = f"failed-{row.deploy_id}" if version is None else f"v{version}"
    return folder(platform, row.app_id) / f"{word}-{row.process}-{row.deploy_id}.log.gz"


def _files(platform: Platform, app_id: int) -> list[Path]:
    """Return the files of an app, the oldest first."""
    paths: list[tuple[float, Path]] = []
    for path in folder(platform, app_id).glob("*.log.gz"):
        with suppress(FileNotFoundError):
            paths.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(paths)]


def _write(path: Path, lines: Iterator[LogLine]) -> None:
    """Write a file, whole or not at all; a process that wrote nothing has none."""
    first = next(lines, None)
    if first is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    try:
        with gzip.open(new, "wt", compresslevel=6, encoding="utf-8") as file:
            for line in (first, *lines):
                stream = "err" if line.is_stderr else "out"
                file.write(f"{line.at:.6f} {stream} {line.text[:LINE_BYTES]}\n")
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _lines(path: Path, process: str) -> Iterator[LogLine]:
    """Yield the lines of a file; one that is trimmed or damaged meanwhile ends early."""
    with (
        suppress(OSError, EOFError, ValueError),
        gzip.open(path, "rt", encoding="utf-8", newline="\n") as file,
    ):
        for line in islice(file, LINES):
            at, stream, text = line.rstrip("\n").split(" ", 2)
            yield LogLine(float(at), process, text, stream == "err")
