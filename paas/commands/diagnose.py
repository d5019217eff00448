"""report: everything that the reports of all topics say, for whoever asks for help."""

import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import replace

import click

import paas
from paas.commands.declare import REGISTRY, Access, Command, Context, command
from paas.commands.reports import JSON, heading, listing, show_json, show_values
from paas.errors import PaasError
from paas.reporter import PROBLEM

GIGABYTE = 1e9


@command("report", access=Access.VIEWER, examples=("report", "report shop", "report --format json"))
@click.argument("app", required=False)
@listing
def report(context: Context, app: str | None, style: str) -> None:
    """Print the host's figures and the reports of all topics, of an app or of all apps.

    No value of a config var is in it.
    """
    if app:
        context.app(app)
    if style == JSON:
        reports = {each.topic: json.loads(_run(context, each, app, JSON)) for each in _reports()}
        show_json({"host": dict(_host(context)), **reports})
        return
    heading("host information")
    show_values(_host(context))
    for each in _reports():
        try:
            click.echo(_run(context, each, app, "text"), nl=False)
        except PaasError as error:  # the others are wanted all the more
            click.echo(f"{PROBLEM}{each.name}: {error.message}", err=True)


def _reports() -> Iterator[Command]:
    """Yield the reports that everybody may read who sees the app, and that work without one."""
    for name in sorted(REGISTRY):
        each = REGISTRY[name]
        if name.endswith(":report") and each.access is Access.VIEWER and not _wants_app(each):
            yield each


def _wants_app(each: Command) -> bool:
    return any(isinstance(p, click.Argument) and p.required for p in each.click.params)


def _run(context: Context, each: Command, app: str | None, style: str) -> str:
    words = [*([app] if app else []), "--format", style]
    own = replace(context, command=each)
    with (
        redirect_stdout(io.StringIO()) as out,
        each.click.make_context(each.name, words, obj=own) as parsed,
    ):
        each.click.invoke(parsed)
    return out.getvalue()


def _host(context: Context) -> list[tuple[str, object]]:
    disk = shutil.disk_usage(context.platform.settings.root)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return [
        ("version", paas.__version__),
        ("kernel", os.uname().release),
        ("processors", os.cpu_count()),
        ("memory-gb", round(memory / GIGABYTE, 1)),
        ("disk-free-gb", round(disk.free / GIGABYTE, 1)),
        ("load", os.getloadavg()[0]),
        ("apps", len(context.apps())),
    ]
