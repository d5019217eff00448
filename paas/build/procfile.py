"""The Procfile, read strictly: what a typing mistake makes of it never runs."""

import re
from collections.abc import Iterator

from paas.errors import BuildFailed, InvalidName
from paas.model import ProcessType

MAX_LINES = 20
MAX_BYTES = 4096
NAME = "Procfile"
RELEASE = "release"  # a process type of its own: run once before a release, never kept running
LINE = re.compile(r"([A-Za-z0-9_-]+)[ \t]*:[ \t]*(.*)", re.ASCII)
CONFLICT = re.compile(r"(<{7}|={7}|>{7}|\|{7})( |$)")  # what git writes where a merge stopped
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def parse(text: str) -> tuple[ProcessType, ...]:
    """Return the process types of a Procfile in its order (the `release` line is one of them).

    Empty lines, lines that start with `#`, CRLF and a byte order mark are fine. Raises BuildFailed
    with the number of the line and the cause.
    """
    if "\x00" in text:
        raise BuildFailed(
            "Procfile is not UTF-8 text", hint="Save it as UTF-8; PowerShell's > writes UTF-16."
        )
    found: dict[str, tuple[int, ProcessType]] = {}
    for number, line in _lines(text):
        process = _process(number, line)
        if process.name in found:
            first = found[process.name][0]
            raise _broken(number, f"{process.name} stands on line {first} already")
        found[process.name] = number, process
        if len(found) > MAX_LINES:
            raise _broken(number, f"more than {MAX_LINES} process types")
    if not found:
        raise BuildFailed("Procfile is empty", hint="Write a line such as: web: python app.py")
    return tuple(process for _, process in found.values())


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = raw.removesuffix("\r").strip(" \t")
        if line and not line.startswith("#"):
            yield number, line


def _process(number: int, line: str) -> ProcessType:
    if len(line.encode()) > MAX_BYTES:
        raise _broken(number, f"longer than {MAX_BYTES} bytes", "Put the command into a script.")
    if CONFLICT.match(line):
        raise _broken(number, "a merge conflict is left", "Resolve it, commit and push again.")
    if CONTROL.search(line):
        raise _broken(number, "a control character is in it")
    match = LINE.fullmatch(line)
    if not match:
        raise _broken(number, f"{_short(line)!r} is not of the form `name: command`")
    name, command = match.groups()
    if not command:
        raise _broken(number, f"{name} has no command")
    try:
        return ProcessType(name, command)
    except InvalidName as error:
        raise _broken(number, error.message, error.hint) from error


def _broken(number: int, cause: str, hint: str = "") -> BuildFailed:
    return BuildFailed(
        f"Procfile line {number}: {cause}",
        hint=hint or "A line is a name, a colon and a command: web: gunicorn app:app",
    )


def _short(line: str) -> str:
    return line if len(line) <= 40 else line[:37] + "..."  # noqa: PLR2004 - fits a terminal line
