"""ps:*: the processes of an app."""

import re
import time
from collections.abc import Mapping, Sequence

import click

from paas import builders, formation, operate, rerelease
from paas.commands.declare import Access, Context, command
from paas.commands.every import at_once, every_app, for_every
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
from paas.commands.scope import meant
from paas.errors import UsageError
from paas.model import App, Desired, process_type
from paas.processes import Process, describe_processes, is_running
from paas.reconcile import Reconciler
from paas.repair import Told
from paas.reporter import DETAIL, PROBLEM, STEP, clean

KEYS = (
    "can-scale",
    "deployed",
    "desired",
    "processes",
    "release",
    "running",
    "stop-timeout-seconds",
    "strategy",
)


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
    apps = meant(context, app)
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
    examples=("ps:restart shop", "ps:restart shop worker", "ps:restart --all --parallel 2"),
)
@for_every
@click.argument("process", required=False)
@at_once
def ps_restart(
    context: Context, app: str | None, process: str | None, is_all: bool, parallel: int
) -> int:
    """Replace an app's processes by new ones, without losing a request. Builds nothing.

    With a process type or a process, only those; config that waits for a restart then goes on
    waiting.
    """

    def restart(found: App) -> None:
        if process or not is_all or _runs(found):
            operate.restart(context.platform, found, context.actor, process=process)

    return every_app(context, app, restart, is_all=is_all, parallel=parallel)


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
    examples=("ps:set shop strategy.worker recreate", "ps:set shop stop-timeout-seconds 60"),
)
@click.argument("app")
@click.argument("key", metavar="KEY")
@click.argument("value", default="")
def ps_set(context: Context, app: str, key: str, value: str) -> None:
    """Set how processes start, stop and are replaced; an empty value clears it.

    strategy, or strategy.TYPE for one type: rolling (default) starts new ones beside the old, so no
    request is lost; recreate stops the old first, for what must never run twice; they come back if
    the new ones fail. procfile-path: the file that is taken for the Procfile, below build-dir.
    stop-timeout-seconds: how long a process has from TERM to KILL.
    """
    platform = context.platform
    found = context.app(app)
    if key == "procfile-path":
        builders.set_property(platform, found, "procfile", key, value)
    else:
        formation.set_property(platform, found, key, value)
    click.echo(f"{STEP}{key} of {app} is {value or 'the default'}; it holds from the next deploy")


@command("ps:rebuild", access=Access.DEPLOYER, examples=("ps:rebuild shop", "ps:rebuild --all"))
@for_every
@at_once
def ps_rebuild(context: Context, app: str | None, is_all: bool, parallel: int) -> int:
    """Build what is deployed again, without the cache, and deploy it."""

    def rebuild(found: App) -> None:
        if not is_all or found.version is not None:
            rerelease.rebuild(context.platform, found, context.actor)

    return every_app(context, app, rebuild, is_all=is_all, parallel=parallel)


@command("ps:stop", access=Access.DEPLOYER, examples=("ps:stop shop", "ps:stop --all"))
@for_every
@at_once
def ps_stop(context: Context, app: str | None, is_all: bool, parallel: int) -> int:
    """Stop an app's processes until it is started, or pushed to."""
    context.control.outlive_client()

    def stop(found: App) -> None:
        operate.stop(context.platform, found, context.actor)
        click.echo(f"{DETAIL}{found.name} is stopped; to start it: ps:start {found.name}")

    return every_app(context, app, stop, is_all=is_all, parallel=parallel)


@command("ps:start", access=Access.DEPLOYER, examples=("ps:start shop", "ps:start --all"))
@for_every
@at_once
def ps_start(context: Context, app: str | None, is_all: bool, parallel: int) -> int:
    """Start a stopped app; one that runs is left alone."""

    def start(found: App) -> None:
        if not is_all or found.version is not None:
            operate.start(context.platform, found, context.actor)
            click.echo(f"{DETAIL}{found.name} runs")

    return every_app(context, app, start, is_all=is_all, parallel=parallel)


@command("ps:restore", access=Access.DEPLOYER, examples=("ps:restore", "ps:restore shop"))
@click.argument("app", required=False)
def ps_restore(context: Context, app: str | None) -> None:
    """Bring back processes that should run and do not, of one app or of all.

    Never needed: the daemon does it at its start, at each event of the engine, and each minute.
    """
    for found in meant(context, app):
        Reconciler(context.platform).tend(found.id, Told(is_blind=True))
        click.echo(f"{DETAIL}{found.name}: what should run was looked after")


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


def _runs(app: App) -> bool:
    return app.desired is Desired.RUNNING and app.version is not None


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
    timeout = int(formation.stop_timeout(context.platform, app.id))
    values: tuple[object, ...] = (can_scale, deployed, str(app.desired), len(current), release)
    values += (running, timeout, strategies)
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
