"""logs: what an app's processes write."""

import time
from collections import deque
from collections.abc import Iterable

import click

from paas import kept_logs
from paas.commands.declare import Access, Context, command
from paas.commands.reports import number
from paas.errors import NotFound, PaasError, UsageError
from paas.log_stream import LogStream
from paas.model import App
from paas.platform import Platform
from paas.reporter import clean
from paas.schedulers.base import LogLine

LINES = "100"


@command(
    "logs",
    access=Access.VIEWER,
    examples=("logs shop", "logs shop -t", "logs shop -n 500 -p worker", "logs shop --release v12"),
)
@click.argument("app")
@click.option("-t", "--tail", "follow", is_flag=True, help="Go on as lines are written.")
@click.option("-n", "--num", "lines", default=LINES, callback=number, help="How many; 100.")
@click.option("-p", "--ps", "process", help="Only this process type, or process (web.1).")
@click.option("-q", "--quiet", is_flag=True, help="Print the bare lines: no time, no name.")
@click.option("--release", help="Of this release (v12), with what it wrote before it was replaced.")
def logs(  # noqa: PLR0913, PLR0917 - an option each
    context: Context,
    app: str,
    follow: bool,
    lines: int,
    process: str | None,
    quiet: bool,
    release: str | None,
) -> None:
    """Print what an app's processes wrote last, and what paas did to them by itself.

    Followed with -t it goes on across deploys. What replaced processes wrote is kept for a while:
    see --release, logs:search and logs:failed. deploys:log has what a deploy said.
    """
    platform = context.platform
    found = context.app(app)
    if release:
        if follow:
            raise UsageError("A release that was replaced writes no more", hint="Leave -t out.")
        shown: Iterable[LogLine] = deque(of_release(platform, found, release, process), lines)
    else:
        stream = LogStream(platform, found, process)
        if not stream.rows():
            raise PaasError(
                f"{app} has no {process or 'process'} that runs",
                hint=f"See ps:report {app}; of the last deploy: deploys:log {app}",
            )
        shown = stream.follow(lines) if follow else stream.history(lines)
    show(shown, app, is_bare=quiet)


def of_release(
    platform: Platform, app: App, word: str, process: str | None = None
) -> Iterable[LogLine]:
    """Return the lines of a release, kept and current. Raises NotFound if there are none."""
    if word == f"v{app.version}":
        current = LogStream(platform, app, process).history(kept_logs.LINES)
        return sorted([*kept_logs.read(platform, app, word, process), *current], key=_at)
    known = kept_logs.releases(platform, app)
    if word not in known:
        names = " ".join(name for name in known if name.startswith("v"))
        raise NotFound(
            f"No log of {clean(word)!a} of {app.name} is kept",
            hint=f"There are: {names} v{app.version or 0}" if names else f"See: logs {app.name}",
        )
    return kept_logs.read(platform, app, word, process)


def show(lines: Iterable[LogLine], app: str, *, is_bare: bool = False) -> None:
    """Print lines, with time, app and process, or bare.

    All go to stdout: ssh carries stdout and stderr apart, and their order would be lost.
    """
    for line in lines:
        text = clean(line.text)
        if not is_bare:
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(line.at))
            millis = int(line.at * 1000) % 1000
            text = f"{stamp}.{millis:03}Z {app}[{line.process}]: {text}"
        click.echo(text)


def _at(line: LogLine) -> float:
    return line.at
