"""logs:*: searching what is kept, the logs of failed deploys, and how much is kept."""

import heapq
import re
import time
from collections import deque
from collections.abc import Iterator

import click

from paas import kept_logs
from paas.commands.declare import Access, Context, command
from paas.commands.logs import LINES, show
from paas.commands.reports import number, report
from paas.commands.scope import choose, names_property, report_apps
from paas.errors import NotFound, UsageError
from paas.log_stream import LogStream
from paas.model import App, DeployState
from paas.platform import Platform
from paas.reporter import MILESTONE, STEP
from paas.schedulers.base import LogLine

KEYS = ("max-size", "global-max-size", "computed-max-size",
        "kept-size", "global-kept-size", "computed-kept-size", "kept-releases")  # fmt: skip
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def span_back(_context: click.Context, _param: click.Parameter, text: str | None) -> float:
    """Return the moment that lies `30m`, `2h` or `7d` back (a callback); 0 without one."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text or "", re.ASCII)
    if text is not None and not match:
        raise click.BadParameter(f"{text!r} is not a span of time such as 30m, 2h or 7d")
    return time.time() - int(match[1]) * UNITS[match[2]] if match else 0.0


@command(
    "logs:search",
    access=Access.VIEWER,
    examples=("logs:search shop Traceback", "logs:search shop 'cart 17' --since 2h -p web"),
)
@click.argument("app")
@click.argument("text")
@click.option("--since", callback=span_back, help="Not older than 30m, 2h, 7d.")
@click.option("-n", "--num", "lines", default=LINES, callback=number, help="The last so many; 100.")
@click.option("-p", "--ps", "process", help="Only this process type, or process (web.1).")
def logs_search(  # noqa: PLR0913, PLR0917 - an option each
    context: Context, app: str, text: str, since: float, lines: int, process: str | None
) -> int:
    """Print the lines that contain a text, also those of earlier releases and failed deploys.

    Upper and lower case are the same. Exit status 1 when there is none.
    """
    platform, found = context.platform, context.app(app)
    current = LogStream(platform, found, process).history(kept_logs.LINES)
    everything = heapq.merge(
        kept_logs.read(platform, found, process=process), current, key=lambda line: line.at
    )
    wanted = text.casefold()
    hits = deque(
        (line for line in everything if line.at >= since and wanted in line.text.casefold()), lines
    )
    show(hits, app)
    return 0 if hits else 1


@command("logs:failed", access=Access.VIEWER, examples=("logs:failed shop", "logs:failed --all"))
@click.argument("app", required=False)
@click.option("--all", "is_all", is_flag=True, help="Of every app.")
def logs_failed(context: Context, app: str | None, is_all: bool) -> None:
    """Print what the processes of the last deploy wrote that failed.

    deploys:log has all that the deploy itself said.
    """
    if is_all == bool(app):
        raise UsageError("Give an app, or --all", hint="For example: logs:failed shop")
    if app:
        found = context.app(app)
        lines = list(_of_last_failure(context.platform, found))
        if not lines:
            raise NotFound(
                f"No log of a failed deploy of {app} is kept", hint=f"See: deploys:list {app}"
            )
        show(lines, app)
        return
    for each in context.apps():
        lines = list(_of_last_failure(context.platform, each))
        if lines:
            click.echo(f"{MILESTONE}{each.name}")
            show(lines, each.name)


@command(
    "logs:set",
    access=Access.DEPLOYER,
    examples=(
        "logs:set shop max-size 20m",
        "logs:set shop kept-size 50m",
        "logs:set shop max-size",
    ),
)
@names_property("KEY [VALUE]")
def logs_set(context: Context, app: str | None, words: tuple[str, ...], is_global: bool) -> None:
    """Set how much of an app's output is kept; without a value it is the default again.

    max-size, 10m: of each of the three files of a running process's log, from its next start.
    kept-size, 10m: of what processes wrote that were replaced, compressed, all releases together.
    """
    found, words = choose(context, app, words, is_global=is_global)
    if len(words) not in {1, 2} or words[0] not in kept_logs.MEGABYTES:
        keys = " or ".join(sorted(kept_logs.MEGABYTES))
        raise UsageError(f"logs:set wants {keys}, and a size", hint="logs:set shop max-size 20m")
    key, value = words[0], "".join(words[1:])
    stored = kept_logs.parse_megabytes(key, value) if value else None
    context.platform.store.properties.set(found.id if found else None, kept_logs.TOPIC, key, stored)
    if found:
        kept_logs.trim(context.platform, found.id)
    click.echo(f"{STEP}{key} is {value or 'the default'} for {app if found else 'all apps'}")


@command(
    "logs:report",
    access=Access.VIEWER,
    examples=("logs:report", "logs:report shop --format json"),
)
@click.argument("app", required=False)
@report("logs", *KEYS)
def logs_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show how much of an app's output is kept, and of which releases."""
    report_apps(context, "logs", app, lambda each: _describe(context.platform, each), style, only)


def _of_last_failure(platform: Platform, app: App) -> Iterator[LogLine]:
    kept = set(kept_logs.releases(platform, app))
    failed = (d for d in platform.store.deploys.list(app.id) if d.state is DeployState.FAILED)
    last = next((f"failed-{d.id}" for d in failed if f"failed-{d.id}" in kept), None)
    return kept_logs.read(platform, app, last) if last else iter(())


def _describe(platform: Platform, app: App) -> dict[str, object]:
    values: dict[str, object] = {}
    for key in ("max-size", "kept-size"):
        for prefix, app_id in (("", app.id), ("global-", None)):
            stored = platform.store.properties.get(app_id, kept_logs.TOPIC).get(key)
            values[f"{prefix}{key}"] = f"{stored}m" if stored else ""
        values[f"computed-{key}"] = f"{kept_logs.megabytes(platform, app.id, key)}m"
    values["kept-releases"] = kept_logs.releases(platform, app)
    return values
