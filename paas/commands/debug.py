"""Looking at what runs: debug, ps:inspect, ps:top, ps:stats, network:probe."""

import json
import shlex
import time
from collections.abc import Mapping

import click

from paas import oneoff, probe, terminal
from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, heading, listing, number, show_json
from paas.commands.run import find_process, with_term
from paas.model import App, ContainerRole
from paas.reporter import STEP, clean
from paas.schedulers.base import Beside, Usage
from paas.settings import MB
from paas.tasks import Errand, RunKind

CAPABILITIES = ("SYS_PTRACE", "NET_RAW")
PAUSE = 0.5  # seconds between two looks, from which the use of the processor is known
MASKED = "***"
SECCOMP = "seccomp="
ENGINES_OWN = {"GraphDriver", "HostnamePath", "HostsPath", "LogPath", "ResolvConfPath"}
TITLES = (
    "process",
    "cpu %",
    "memory MB",
    "limit MB",
    "received",
    "sent",
    "read",
    "written",
    "pids",
)


@command(
    "debug",
    access=Access.DEPLOYER,
    examples=("debug shop", "debug shop worker.2", "debug shop web.1 cat /proc/7/stack"),
)
@click.option(
    "--cap", "capabilities", multiple=True, type=click.Choice(CAPABILITIES), help="Admins."
)
@click.option("--no-tty", is_flag=True, help="No terminal there, though there is one here.")
@click.argument("app")
@click.argument("words", nargs=-1, metavar="[PROCESS] [CMD...]", type=click.UNPROCESSED)
def debug(
    context: Context,
    app: str,
    words: tuple[str, ...],
    capabilities: tuple[str, ...],
    no_tty: bool,
) -> int:
    """Start a container with tools beside a process: it sees its processes and its network.

    It runs as the app's user, with the app's variables and walls; ps, ss, curl, python3 are there.
    With --cap, which is for admins, it runs as its own root with nothing but this capability.
    """
    found = context.app(app)
    if capabilities:
        context.require(Access.ADMIN)
    target, argv = find_process(context, found, words)
    line = shlex.join(argv) if argv else oneoff.SHELL
    errand = Errand(RunKind.DEBUG, line, context.actor.name, oneoff.DAY)
    if capabilities:
        text = f"debug by {context.actor.name} with {' '.join(capabilities)}"
        context.platform.store.journal.add(found.id, text)
        click.echo(
            f"{STEP}With {' '.join(capabilities)}, as is written to the log of {app}", err=True
        )
    with terminal.handed_over(context.request, context.control, no_tty=no_tty) as streams:
        errand = with_term(context, errand) if streams.window else errand
        beside = Beside(target, capabilities)
        return oneoff.hold(context.platform, found, errand, streams, beside)


@command(
    "ps:inspect", access=Access.DEPLOYER, examples=("ps:inspect shop", "ps:inspect shop worker.1")
)
@click.argument("app")
@click.argument("process", required=False)
def ps_inspect(context: Context, app: str, process: str | None) -> None:
    """Print what the engine knows of an app's containers, as JSON; variables are masked.

    Paths of the engine's own and the text of the system call filter are left out.
    """
    found = context.app(app)
    shown = [
        mask(context.platform.scheduler.describe(container_id))
        for container_id in _processes(context, found, process).values()
    ]
    click.echo(json.dumps(shown, indent=4))


@command("ps:top", access=Access.DEPLOYER, examples=("ps:top shop", "ps:top shop web.1"))
@click.argument("app")
@click.argument("process", required=False)
@listing
def ps_top(context: Context, app: str, process: str | None, style: str) -> None:
    """List the processes in an app's containers, as the host sees them."""
    found = context.app(app)
    tables = {
        name: context.platform.scheduler.top(container_id)
        for name, container_id in _processes(context, found, process).items()
    }
    if style == JSON:
        show_json({n: [dict(zip(t[0], r, strict=False)) for r in t[1:]] for n, t in tables.items()})
        return
    for name, table in tables.items():
        heading(f"{app} {name}")
        _show_table(table)


@command(
    "ps:stats",
    access=Access.VIEWER,
    examples=("ps:stats shop", "ps:stats shop -t", "ps:stats shop --format json"),
)
@click.argument("app")
@click.argument("process", required=False)
@click.option("-t", "--tail", "follow", is_flag=True, help="Look again until you stop it.")
@click.option("--interval", default="2", callback=number, help="Seconds between looks; 2.")
@listing
def ps_stats(  # noqa: PLR0913, PLR0917 - one per argument and option
    context: Context, app: str, process: str | None, follow: bool, interval: int, style: str
) -> None:
    """Show what each process of an app uses: processor, memory, network, disk, processes.

    Network and disk are bytes since its start; 100 % is one core.
    """
    found = context.app(app)
    before = _measure(context, found, process)
    while True:
        time.sleep(PAUSE if not follow else max(interval, 1))
        now = _measure(context, found, process)
        rows = [_figures(name, before[name], now[name]) for name in now if name in before]
        if style == JSON:
            show_json(rows)
        else:
            heading(f"{app} use of resources")
            _show_table((TITLES, *(tuple(str(value) for value in row.values()) for row in rows)))
        if not follow:
            return
        before = now


@command(
    "network:probe",
    access=Access.DEPLOYER,
    examples=("network:probe shop db.example.org 5432", "network:probe shop 10.0.0.7 6379"),
)
@click.argument("app")
@click.argument("host")
@click.argument("port", callback=number)
@listing
def network_probe(context: Context, app: str, host: str, port: int, style: str) -> int:
    """Look up a name and connect to it from an app's first process; say what stands in the way.

    The exit status is 0 if one of the name's addresses answers.
    """
    found = context.app(app)
    target, _ = find_process(context, found, ())
    result = probe.probe(context.platform, found, context.actor, target, host, port)
    if style == JSON:
        show_json(result.as_json())
    else:
        for line in result.lines():
            click.echo(clean(line))
    return 0 if result.connects else 1


def mask(description: Mapping[str, object]) -> dict[str, object]:
    """Return the engine's description: no values of variables, nothing for the engine alone."""
    shown = {key: value for key, value in description.items() if key not in ENGINES_OWN}
    config, host = shown.get("Config"), shown.get("HostConfig")
    if isinstance(config, Mapping):
        names = [str(line).partition("=")[0] for line in config.get("Env") or ()]
        shown["Config"] = {**config, "Env": [f"{name}={MASKED}" for name in names]}
    if isinstance(host, Mapping):
        options = (str(option) for option in host.get("SecurityOpt") or ())
        short = [SECCOMP + "(of paas)" if o.startswith(SECCOMP + "{") else o for o in options]
        shown["HostConfig"] = {**host, "SecurityOpt": short}
    return shown


def _processes(context: Context, app: App, process: str | None) -> dict[str, str]:
    """Return {process: container id} of those that were asked for. Raises NotFound."""
    if process:
        find_process(context, app, (process,))
    rows = context.platform.store.containers.of(app.id, ContainerRole.CURRENT)
    return {
        row.process: row.id
        for row in rows
        if row.id and process in {None, row.process, row.process_type}
    }


def _measure(context: Context, app: App, process: str | None) -> dict[str, Usage]:
    found = {}
    for name, container_id in _processes(context, app, process).items():
        usage = context.platform.scheduler.usage(container_id)
        if usage:
            found[name] = usage
    return found


def _figures(name: str, before: Usage, now: Usage) -> dict[str, object]:
    took = now.at - before.at
    cpu = max(now.cpu - before.cpu, 0) / took * 100 if took > 0 else 0.0
    return {
        "process": name,
        "cpu_percent": round(cpu, 1),
        "memory_mb": round(now.memory / MB, 1),
        "memory_limit_mb": round(now.memory_limit / MB),
        "received": now.received,
        "sent": now.sent,
        "read": now.read,
        "written": now.written,
        "pids": now.pids,
    }


def _show_table(rows: tuple[tuple[str, ...], ...]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo(clean("  ".join(cells)).rstrip())


debug.click.context_settings = {"allow_interspersed_args": False}
