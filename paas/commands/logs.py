"""logs: what an app's processes write."""

import time
from collections import deque
from collections.abc import Iterable, Iterator

import click

from paas.commands.declare import Access, Context, command
from paas.commands.reports import number
from paas.errors import PaasError
from paas.model import App, Container, ContainerRole, ProcessState
from paas.platform import Platform
from paas.reporter import clean
from paas.schedulers.base import LogLine

LINES = "100"
POLL = 0.5  # seconds between looks for the next processes


@command(
    "logs",
    access=Access.VIEWER,
    examples=("logs shop", "logs shop -t", "logs shop -n 500 -p worker", "logs shop -p web.2"),
)
@click.argument("app")
@click.option("-t", "--tail", "follow", is_flag=True, help="Go on as lines are written.")
@click.option("-n", "--num", "lines", default=LINES, callback=number, help="How many; 100.")
@click.option("-p", "--ps", "process", help="Only this process type, or process (web.1).")
def logs(context: Context, app: str, follow: bool, lines: int, process: str | None) -> None:
    """Print what an app's processes wrote last, and what paas did to them by itself.

    The log of a release ends with its processes; deploys:log has what a deploy said.
    """
    platform = context.platform
    found = context.app(app)
    rows = _rows(platform, found, process)
    if not rows:
        raise PaasError(
            f"{app} has no {process or 'process'} that runs",
            hint=f"See ps:report {app}; of the last deploy: deploys:log {app}",
        )
    journal = Journal(platform, found, process, lines)
    shown = journal.beside(platform.scheduler.logs(rows, lines, follow=follow))
    _print(shown if follow else deque(shown, maxlen=lines), app)
    while follow:  # the processes have ended: go on with those that took over
        _print(journal.beside(_successors(platform, found, process, rows, journal.last)), app)


class Journal:
    """Puts the lines of paas itself between those of the processes, by time."""

    def __init__(self, platform: Platform, app: App, process: str | None, lines: int) -> None:
        self._store = platform.store
        self._app = app
        self._process = process
        self._lines = lines
        self._read = 0  # the id of the last line that was looked at
        self.last = 0.0  # the time of the last line of a process

    def beside(self, lines: Iterator[LogLine]) -> Iterator[LogLine]:
        """Yield the lines, and ours in their places; at the end those that are left."""
        waiting: deque[LogLine] = deque()
        for line in lines:
            waiting.extend(self._new())
            while waiting and waiting[0].at <= line.at:
                yield waiting.popleft()
            self.last = line.at
            yield line
        yield from (*waiting, *self._new())

    def _new(self) -> list[LogLine]:
        found = self._store.journal.read(self._app.id, self._lines, self._read)
        self._read = max((line.id for line in found), default=self._read)
        wanted = self._process or ""
        return [
            LogLine(line.at, "paas", line.text, is_stderr=False)
            for line in found
            if line.text.startswith(wanted)
        ]


def _rows(platform: Platform, app: App, process: str | None) -> dict[str, str]:
    """Return {container id: process} of the current processes that were asked for."""
    rows = platform.store.containers.of(app.id, ContainerRole.CURRENT)
    return {row.id: row.process for row in rows if row.id and _is_wanted(row, process)}


def _is_wanted(row: Container, process: str | None) -> bool:
    return process is None or process in {row.process, row.process_type}


def _successors(
    platform: Platform, app: App, process: str | None, seen: dict[str, str], after: float = 0.0
) -> Iterator[LogLine]:
    """Wait for processes that were not seen yet, and follow them from their first line.

    Those that were restarted in their containers are followed from what came `after`.
    """
    now = platform.store.apps.by_id(app.id)
    rows = _rows(platform, now, process)
    new = {
        container_id: name
        for container_id, name in rows.items()
        if container_id not in seen
        or platform.scheduler.inspect(container_id).state is ProcessState.RUNNING
    }
    again = {name for container_id, name in new.items() if container_id in seen}
    seen |= new
    if not new:
        time.sleep(POLL)
        return
    for line in platform.scheduler.logs(new, None, follow=True):
        if line.process not in again or line.at > after:
            yield line


def _print(lines: Iterable[LogLine], app: str) -> None:
    for line in lines:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(line.at))
        millis = int(line.at * 1000) % 1000
        text = clean(line.text)
        click.echo(f"{stamp}.{millis:03}Z {app}[{line.process}]: {text}", err=line.is_stderr)
