"""How lists and reports are typed and shown: `--format json`, `--quiet`, `--topic-key`."""

import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from paas.reporter import DETAIL, MILESTONE, clean

QUIET = "paas.quiet"
JSON = "json"
Function = TypeVar("Function", bound=Callable[..., Any])


def number(_context: click.Context, _param: click.Parameter, text: str | None) -> int | None:
    """Parse an option's ASCII digits (a callback); int() takes other scripts, signs and `_` too."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        raise click.BadParameter(f"{text!r} is not a number")
    return int(text)


def listing(function: Function) -> Function:
    """Give a command `--format text|json`, as `style`, and `--quiet`, which drops the header."""
    style = click.option(
        "--format",
        "style",
        type=click.Choice(["text", "stdout", JSON]),
        default="text",
        help="How to print it.",
    )
    quiet = click.option(
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=lambda context, _, value: context.meta.update({QUIET: value}),
        help="Print no header.",
    )
    return style(quiet(function))


def report(topic: str, *keys: str) -> Callable[[Function], Function]:
    """Give a command the flags of listing(), and `--<topic>-<key>` for each key, as `only`."""

    def decorate(function: Function) -> Function:
        for key in reversed(keys):
            flag = click.option(
                f"--{topic}-{key}", "only", flag_value=key, default=None, help="Print only this."
            )
            function = flag(function)
        return listing(function)

    return decorate


def quiet_flags(topic: str, *keys: str) -> Callable[[Function], Function]:
    """Give a command the flags of report() for more keys, without a line of help for each."""

    def decorate(function: Function) -> Function:
        for key in keys:
            flag = click.option(f"--{topic}-{key}", "only", flag_value=key, hidden=True)
            function = flag(function)
        return function

    return decorate


def title(text: str) -> None:
    """Print a header on a terminal only, as Dokku does: programs read what is below it."""
    if sys.stdout.isatty():
        heading(text)


def heading(text: str) -> None:
    """Print a header, unless --quiet was typed."""
    if not click.get_current_context().meta.get(QUIET):
        click.echo(f"{MILESTONE}{text}")


def show_list(header: str, names: Iterable[str], style: str) -> None:
    """Print names below a title(), one per line, or as a JSON array."""
    names = list(names)
    if style == JSON:
        click.echo(json.dumps(names))
        return
    title(header)
    for name in names:
        click.echo(clean(name))


def show_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value))


def show_reports(
    topic: str, reports: Mapping[str, Mapping[str, object]], style: str, only: str | None
) -> None:
    """Print {app: {key: value}}: a section per app, or one value each, or JSON by app."""
    if only:
        reports = {app: {only: values[only]} for app, values in reports.items()}
    if style == JSON:
        show_json(reports)
        return
    for app, values in reports.items():
        if only:
            click.echo(_text(values[only]))
        else:
            heading(f"{app} {topic} information")
            show_values(values.items())


def show_report(
    topic: str, app: str, values: Mapping[str, object], style: str, only: str | None
) -> None:
    """Print the report of one app: as show_reports(), but JSON without the app around it."""
    if style == JSON:
        show_json(values[only] if only else values)
    else:
        show_reports(topic, {app: values}, style, only)


def show_values(values: Iterable[tuple[str, object]]) -> None:
    """Print `Key: value` lines with the values aligned; a key may come more than once."""
    lines = [
        (f"{key.replace('-', ' ').replace('_', ' ').capitalize()}:", _text(value))
        for key, value in values
    ]
    width = max((len(label) for label, _ in lines), default=0)
    if lines:  # in one piece: of 200 apps there are 16,000 of nginx
        click.echo("\n".join(f"{DETAIL}{label:{width}}  {text}".rstrip() for label, text in lines))


def date(seconds: float) -> str:
    """Return a time as RFC 3339 in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def span(seconds: float) -> str:
    """Return a duration in its largest unit: `45 s`, `12 min`, `3 h`, `9 days`."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case list() | tuple():
            return " ".join(map(_text, value))
        case Mapping():
            return " ".join(f"{key}:{_text(part)}" for key, part in value.items())
    return clean(str(value)).replace("\n", "\\n")
