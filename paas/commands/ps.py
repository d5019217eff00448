"""ps:*: the processes of an app."""

import time
from collections.abc import Sequence

import click

from paas import operate
from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, heading, report, show_json, show_reports, show_values, span
from paas.model import App
from paas.processes import Process, describe_processes, is_running
from paas.reporter import DETAIL, PROBLEM, clean

KEYS = ("deployed", "desired", "processes", "release", "running")


@command(
    "ps:report",
    access=Access.DEPLOYER,
    examples=("ps:report", "ps:report shop", "ps:report shop --format json"),
)
@click.argument("app", required=False)
@report("ps", *KEYS)
def ps_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show the processes of an app, or of all apps: status, release, uptime, restarts, last exit.

    A process that met a wall (memory, a read-only file system, ...) is shown with what opens it.
    """
    store = context.platform.store
    apps = (store.apps.get(app),) if app else store.apps.list()
    found = {each: describe_processes(context.platform, each) for each in apps}
    summaries = {each.name: _summarise(each, processes) for each, processes in found.items()}
    if only:
        show_reports("ps", summaries, style, only)
    elif style == JSON:
        values = {
            each.name: {**summaries[each.name], "status": [_as_json(p) for p in processes]}
            for each, processes in found.items()
        }
        show_json(values[app] if app else values)
    else:
        for each, processes in found.items():
            _show(each, summaries[each.name], processes)


@command("ps:restart", access=Access.DEPLOYER, examples=("ps:restart shop",))
@click.argument("app")
def ps_restart(context: Context, app: str) -> None:
    """Replace an app's processes by new ones, without losing a request. Builds nothing."""
    operate.restart(context.platform, context.platform.store.apps.get(app), context.actor)


@command("ps:rebuild", access=Access.DEPLOYER, examples=("ps:rebuild shop",))
@click.argument("app")
def ps_rebuild(context: Context, app: str) -> None:
    """Build what is deployed again, without the cache, and deploy it."""
    operate.rebuild(context.platform, context.platform.store.apps.get(app), context.actor)


@command("ps:stop", access=Access.DEPLOYER, examples=("ps:stop shop",))
@click.argument("app")
def ps_stop(context: Context, app: str) -> None:
    """Stop an app's processes until it is started, or pushed to."""
    found = context.platform.store.apps.get(app)
    context.control.outlive_client()
    operate.stop(context.platform, found, context.actor)
    click.echo(f"{DETAIL}{app} is stopped; to start it: ps:start {app}")


@command("ps:start", access=Access.DEPLOYER, examples=("ps:start shop",))
@click.argument("app")
def ps_start(context: Context, app: str) -> None:
    """Start a stopped app; one that runs is left alone."""
    operate.start(context.platform, context.platform.store.apps.get(app), context.actor)
    click.echo(f"{DETAIL}{app} runs")


def _summarise(app: App, processes: Sequence[Process]) -> dict[str, object]:
    current = [process for process in processes if process.role == "current"]
    up = [is_running(process) for process in current]
    running = "true" if up and all(up) else "mixed" if any(up) else "false"
    release = f"v{app.version}" if app.version else None
    values = (app.version is not None, str(app.desired), len(current), release, running)
    return dict(zip(KEYS, values, strict=True))


def _show(app: App, summary: dict[str, object], processes: Sequence[Process]) -> None:
    heading(f"{app.name} ps information")
    lines = [(f"Status {process.name}", _one_line(process)) for process in processes]
    show_values([*summary.items(), *lines])
    for process in processes:
        for hint in process.hints:
            click.echo(f"{PROBLEM}{process.name}: {clean(hint)}", err=True)


def _one_line(process: Process) -> str:
    parts = [process.status, process.release]
    if process.started_at and is_running(process):
        parts.append(f"up {span(time.time() - process.started_at)}")
    parts.append("1 restart" if process.restarts == 1 else f"{process.restarts} restarts")
    if process.exit_code is not None:
        parts.append(f"last exit {process.exit_code}")
    return ", ".join(part for part in parts if part)


def _as_json(process: Process) -> dict[str, object]:
    return {
        "name": process.name,
        "status": process.status,
        "release": process.release,
        "started_at": process.started_at or None,
        "restarts": process.restarts,
        "exit_code": process.exit_code,
        "hints": list(process.hints),
    }
