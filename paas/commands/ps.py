"""ps:*: the processes of an app."""

import re
import time
from collections.abc import Mapping, Sequence

import click

from paas import builders, formation, operate
from paas.commands.declare import Access, Context, command
from paas.commands.reports import (
    JSON,
    heading,
    listing,
    report,
    show_json,
    show_reports,
    show_values,
    span,
)
from paas.errors import UsageError
from paas.model import App, process_type
from paas.processes import Process, describe_processes, is_running
from paas.reporter import DETAIL, PROBLEM, STEP, clean

KEYS = ("can-scale", "deployed", "desired", "processes", "release", "running", "strategy")


@command(
    "ps:report",
    access=Access.VIEWER,
    examples=("ps:report", "ps:report shop", "ps:report shop --format json"),
)
@click.argument("app", required=False)
@report("ps", *KEYS)
def ps_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show the processes of an app, or of all apps: status, release, uptime, restarts, last exit.

    A process that met a wall (memory, a read-only file system, ...) is shown with what opens it.
    """
    apps = (context.app(app),) if app else context.apps()
    found = {each: describe_processes(context.platform, each) for each in apps}
    summaries = {each.name: _summarise(context, each, found[each]) for each in found}
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


@command(
    "ps:restart",
    access=Access.DEPLOYER,
    examples=("ps:restart shop", "ps:restart shop worker", "ps:restart shop web.2"),
)
@click.argument("app")
@click.argument("process", required=False)
def ps_restart(context: Context, app: str, process: str | None) -> None:
    """Replace an app's processes by new ones, without losing a request. Builds nothing.

    With a process type or a process, only those; config that waits for a restart then goes on
    waiting.
    """
    found = context.app(app)
    operate.restart(context.platform, found, context.actor, process=process)


@command(
    "ps:scale",
    access=Access.DEPLOYER,
    examples=(
        "ps:scale shop",
        "ps:scale shop web=2 worker=1",
        "ps:scale --skip-deploy shop worker=1",
        "ps:scale shop --format json",
    ),
)
@click.argument("app")
@click.argument("quantities", nargs=-1, metavar="[TYPE=NUMBER...]")
@click.option("--skip-deploy", is_flag=True, help="Store it for the next deploy.")
@listing
def ps_scale(
    context: Context, app: str, quantities: tuple[str, ...], skip_deploy: bool, style: str
) -> None:
    """Run more or fewer processes of a type; without quantities, show how many.

    What runs already is left alone. If app.json has a formation, that holds.
    """
    platform = context.platform
    found = context.app(app)
    if not quantities:
        _show_scale(app, formation.current(platform, found), style)
        return
    wanted = parse_quantities(quantities)
    for name in formation.missing(platform, found, wanted):
        click.echo(f"{PROBLEM}Skipping {name} as it is missing from the current Procfile", err=True)
    done = operate.scale(platform, found, context.actor, wanted, only_store=skip_deploy)
    if not done:
        click.echo(f"{DETAIL}Stored; {app} takes it up when it is deployed or started next")


@command(
    "ps:set",
    access=Access.DEPLOYER,
    examples=("ps:set shop strategy.worker recreate", "ps:set shop strategy.worker"),
)
@click.argument("app")
@click.argument("key", metavar="strategy[.TYPE]|procfile-path")
@click.argument("value", default="")
def ps_set(context: Context, app: str, key: str, value: str) -> None:
    """Set how processes are replaced, of all types or of one, or which file is the Procfile.

    An empty value clears. procfile-path: the file that is taken for the Procfile, below build-dir.
    strategy rolling (default): new ones start beside the old, so no request is lost; recreate: the
    old stop first, for what must never run twice; they come back if the new ones fail.
    """
    platform = context.platform
    found = context.app(app)
    if key == "procfile-path":
        builders.set_property(platform, found, "procfile", key, value)
    else:
        formation.set_strategy(platform, found, key, value)
    click.echo(f"{STEP}{key} of {app} is {value or 'the default'}; it holds from the next deploy")


@command("ps:rebuild", access=Access.DEPLOYER, examples=("ps:rebuild shop",))
@click.argument("app")
def ps_rebuild(context: Context, app: str) -> None:
    """Build what is deployed again, without the cache, and deploy it."""
    operate.rebuild(context.platform, context.app(app), context.actor)


@command("ps:stop", access=Access.DEPLOYER, examples=("ps:stop shop",))
@click.argument("app")
def ps_stop(context: Context, app: str) -> None:
    """Stop an app's processes until it is started, or pushed to."""
    found = context.app(app)
    context.control.outlive_client()
    operate.stop(context.platform, found, context.actor)
    click.echo(f"{DETAIL}{app} is stopped; to start it: ps:start {app}")


@command("ps:start", access=Access.DEPLOYER, examples=("ps:start shop",))
@click.argument("app")
def ps_start(context: Context, app: str) -> None:
    """Start a stopped app; one that runs is left alone."""
    operate.start(context.platform, context.app(app), context.actor)
    click.echo(f"{DETAIL}{app} runs")


def parse_quantities(words: Sequence[str]) -> dict[str, int]:
    """Return {process type: quantity} of `web=2` words. Raises UsageError."""
    found = {}
    for word in words:
        name, _, number = word.partition("=")
        if not re.fullmatch(r"[0-9]{1,4}", number, re.ASCII):
            raise UsageError(
                f"{clean(word)!r} is not TYPE=NUMBER", hint="As in: ps:scale APP web=2"
            )
        found[process_type(name)] = int(number)
    return found


def _show_scale(app: str, counts: Mapping[str, int], style: str) -> None:
    if style == JSON:
        show_json([{"process_type": name, "quantity": count} for name, count in counts.items()])
        return
    heading(f"Scaling for {app}")
    for name, count in {"proctype": "qty", "--------": "---", **counts}.items():
        click.echo(f"{name}: {count}")


def _summarise(context: Context, app: App, processes: Sequence[Process]) -> dict[str, object]:
    current = [process for process in processes if process.role == "current"]
    up = [is_running(process) for process in current]
    running = "true" if up and all(up) else "mixed" if any(up) else "false"
    release = f"v{app.version}" if app.version else None
    can_scale = formation.can_scale(context.platform, app)
    counts = formation.current(context.platform, app)
    strategies = {name: str(formation.strategy(context.platform, app, name)) for name in counts}
    deployed = app.version is not None
    values = (can_scale, deployed, str(app.desired), len(current), release, running, strategies)
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
