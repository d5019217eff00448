"""Config vars as text: the formats of `config:export`, and reading `.env` files and JSON back.

The formats are Dokku's. A `.env` file is read as godotenv reads it, but nothing is expanded.
"""

import io
import json
import re
import tarfile
from collections.abc import Callable, Mapping

from paas.errors import UsageError

PAIR = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<key>[^\s=#'"]+)[ \t]*=[ \t]*
        (?:'(?P<plain>[^']*)'|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>(?!['"])[^\n]*))
        [ \t]*(?:\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
NOTHING = re.compile(r"[ \t]*(?:\#[^\n]*)?(?:\n|\Z)", re.ASCII)
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
SPECIAL = re.compile(r'[\\\n\r"!$`]')
LETTERS = {"\n": "n", "\r": "r"}


def parse_envfile(text: str) -> dict[str, str]:
    """Return the vars of a `.env` file; the last of a key counts. Raises UsageError.

    Values may stand in '...' (as they are), in "..." (backslashes escape), or bare.
    """
    text = text.replace("\r\n", "\n")
    values: dict[str, str] = {}
    place = 0
    while place < len(text):
        if match := NOTHING.match(text, place):
            place = match.end()
        elif match := PAIR.match(text, place):
            values[match["key"]] = _value(match)
            place = match.end()
        else:
            line = text.count("\n", 0, place) + 1
            raise UsageError(
                f"Line {line} is not KEY=VALUE", hint="Close its quotes, or remove the line."
            )
    return values


def parse_json(text: str) -> dict[str, str]:
    """Return the vars of a JSON object of strings. Raises UsageError."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError("This is not JSON", hint='Give {"KEY": "value"}.') from error
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise UsageError("This is not a JSON object of strings", hint='Give {"KEY": "value"}.')
    return values


def bundle(values: Mapping[str, str]) -> bytes:
    """Return a tar with a file per var, named by its key."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for key, value in values.items():
            content = value.encode()
            entry = tarfile.TarInfo(key)
            entry.mode, entry.size = 0o600, len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def quote(value: str) -> str:
    """Return the value in single quotes, as a POSIX shell reads it."""
    return "'" + value.replace("'", "'\\''") + "'"


def _value(match: re.Match[str]) -> str:
    if match["plain"] is not None:
        return match["plain"]
    if match["quoted"] is not None:
        return ESCAPE.sub(lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1]), match["quoted"])
    return re.split(r"[ \t]#", match["bare"], maxsplit=1)[0].strip()


def _dotenv(value: str) -> str:
    if re.fullmatch(r"0|-?[1-9][0-9]{0,17}", value, re.ASCII):
        return value
    return '"' + SPECIAL.sub(lambda m: "\\" + LETTERS.get(m[0], m[0]), value) + '"'


def _pretty(values: Mapping[str, str]) -> str:
    width = max(map(len, values), default=0) + 1
    return "\n".join(f"{f'{key}:':{width}}  {value}" for key, value in values.items())


def _join(separator: str, form: Callable[[str, str], str]) -> Callable[[Mapping[str, str]], str]:
    return lambda values: separator.join(form(key, value) for key, value in values.items())


FORMATS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "exports": _join("\n", lambda key, value: f"export {key}={quote(value)}"),
    "envfile": _join("\n", lambda key, value: f"{key}={_dotenv(value)}"),
    "docker-args": _join(" ", lambda key, value: f"--env={key}={quote(value)}"),
    "docker-args-keys": _join(" ", lambda key, _: f"--env={key}"),
    "shell": _join(" ", lambda key, value: f"{key}={quote(value)}"),
    "pretty": _pretty,
    "json": lambda values: json.dumps(dict(values)),
    "json-list": lambda values: json.dumps([{"name": k, "value": v} for k, v in values.items()]),
    "pack-keys": _join(" ", lambda key, _: f"--env {key}"),
}
