"""logs: what an app's processes write."""

import time
from collections.abc import Iterator

import click

from paas.commands.declare import Access, Context, command
from paas.commands.reports import number
from paas.errors import PaasError
from paas.model import App, Container, ContainerRole
from paas.platform import Platform
from paas.reporter import clean
from paas.schedulers.base import LogLine

LINES = "100"
POLL = 0.5  # seconds between looks for the next processes


@command(
    "logs",
    access=Access.DEPLOYER,
    examples=("logs shop", "logs shop -t", "logs shop -n 500 -p worker", "logs shop -p web.2"),
)
@click.argument("app")
@click.option("-t", "--tail", "follow", is_flag=True, help="Go on as lines are written.")
@click.option("-n", "--num", "lines", default=LINES, callback=number, help="How many; 100.")
@click.option("-p", "--ps", "process", help="Only this process type, or process (web.1).")
def logs(context: Context, app: str, follow: bool, lines: int, process: str | None) -> None:
    """Print what an app's processes wrote last.

    The log of a release ends with its processes; deploys:log has what a deploy said.
    """
    found = context.platform.store.apps.get(app)
    rows = _rows(context.platform, found, process)
    if not rows:
        raise PaasError(
            f"{app} has no {process or 'process'} that runs",
            hint=f"See ps:report {app}; of the last deploy: deploys:log {app}",
        )
    _print(context.platform.scheduler.logs(rows, lines, follow=follow), app)
    while follow:  # the processes have ended: go on with those that took over
        _print(_successors(context.platform, found, process, rows), app)


def _rows(platform: Platform, app: App, process: str | None) -> dict[str, str]:
    """Return {container id: process} of the current processes that were asked for."""
    rows = platform.store.containers.of(app.id, ContainerRole.CURRENT)
    return {row.id: row.process for row in rows if row.id and _is_wanted(row, process)}


def _is_wanted(row: Container, process: str | None) -> bool:
    return process is None or process in {row.process, row.process_type}


def _successors(
    platform: Platform, app: App, process: str | None, seen: dict[str, str]
) -> Iterator[LogLine]:
    """Wait for processes that were not seen yet, and follow them from their first line."""
    now = platform.store.apps.by_id(app.id)
    new = {key: name for key, name in _rows(platform, now, process).items() if key not in seen}
    seen |= new
    if not new:
        time.sleep(POLL)
        return iter(())
    return platform.scheduler.logs(new, None, follow=True)


def _print(lines: Iterator[LogLine], app: str) -> None:
    for line in lines:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(line.at))
        millis = int(line.at * 1000) % 1000
        text = clean(line.text)
        click.echo(f"{stamp}.{millis:03}Z {app}[{line.process}]: {text}", err=line.is_stderr)
