"""resource:*: how much of the host each process may take."""

import click

from paas import resources
from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, heading, listing, show_json, show_values
from paas.commands.scope import meant
from paas.errors import UsageError
from paas.model import App
from paas.reporter import DETAIL, STEP

type_option = click.option("--process-type", "name", help="Of this type only, as web or worker.")
cpu_option = click.option("--cpu", help="Processors, as 0.5; `clear` brings the default back.")
memory_option = click.option("--memory", help="512m or 1g; a number alone is MB; `clear`.")


@command(
    "resource:limit",
    access=Access.DEPLOYER,
    examples=(
        "resource:limit --memory 256m shop",
        "resource:limit --process-type worker --cpu 0.5 shop",
        "resource:limit shop",
    ),
)
@click.argument("app")
@type_option
@cpu_option
@memory_option
@click.option("--memory-swap", help="Refused: apps get no swap.")
@listing
def resource_limit(  # noqa: PLR0913, PLR0917 - click gives one for each flag
    context: Context,
    app: str,
    name: str | None,
    cpu: str | None,
    memory: str | None,
    memory_swap: str | None,
    style: str,
) -> None:
    """Limit what each process takes; without values the limits are shown.

    It holds from the next start on. More than the host's default (memory: app_memory in paas.toml,
    one processor) is for admins.
    """
    if memory_swap is not None:
        raise UsageError(
            "Apps get no swap on this host: a swapping app would slow all others down",
            hint=f"Give memory instead: resource:limit --memory 1g {app}",
        )
    given = {resources.CPU: cpu, resources.RAM: memory}
    values = {key: value for key, value in given.items() if value is not None}
    if resources.is_more(context.platform, values):
        context.require(Access.ADMIN)
    _change(context, app, resources.LIMIT, name, values, style)


@command(
    "resource:reserve",
    access=Access.DEPLOYER,
    examples=("resource:reserve --memory 128m shop", "resource:reserve shop"),
)
@click.argument("app")
@type_option
@memory_option
@listing
def resource_reserve(
    context: Context, app: str, name: str | None, memory: str | None, style: str
) -> None:
    """Keep memory for each process when the host runs short; without values they are shown."""
    values = {resources.RAM: memory} if memory is not None else {}
    _change(context, app, resources.RESERVE, name, values, style)


@command(
    "resource:limit-clear",
    access=Access.DEPLOYER,
    examples=("resource:limit-clear shop", "resource:limit-clear --process-type web shop"),
)
@click.argument("app")
@type_option
def resource_limit_clear(context: Context, app: str, name: str | None) -> None:
    """Bring the host's default limits back, of one process type or of all."""
    _clear(context, app, resources.LIMIT, name)


@command(
    "resource:reserve-clear",
    access=Access.DEPLOYER,
    examples=("resource:reserve-clear shop",),
)
@click.argument("app")
@type_option
def resource_reserve_clear(context: Context, app: str, name: str | None) -> None:
    """Keep nothing any more, for one process type or for all."""
    _clear(context, app, resources.RESERVE, name)


@command(
    "resource:report",
    access=Access.VIEWER,
    examples=("resource:report", "resource:report shop --format json"),
)
@click.argument("app", required=False)
@listing
def resource_report(context: Context, app: str | None, style: str) -> None:
    """Show limits and reservations of an app, or of all apps, as they were set."""
    platform = context.platform
    apps = meant(context, app)
    every = {each.name: dict(resources.stored(platform, each)) for each in apps}
    if style == JSON:
        show_json(every[app] if app else every)
        return
    for each, values in every.items():
        heading(f"{each} resource information")
        show_values(values.items())


def _change(  # noqa: PLR0913, PLR0917 - what the two verbs have in common
    context: Context, app: str, kind: str, name: str | None, values: dict[str, str], style: str
) -> None:
    found, owner = context.app(app), resources.type_name(name)
    if not values:
        _show(context, found, kind, owner, style)
        return
    resources.change(context.platform, found, kind, owner, values)
    shown = " ".join(f"{key}={value}" for key, value in values.items())
    click.echo(f"{STEP}Setting resource {kind}s of {app} ({owner}): {shown}")
    click.echo(f"{DETAIL}It holds when its processes start next: ps:restart {app}")


def _show(context: Context, app: App, kind: str, owner: str, style: str) -> None:
    values = resources.stored(context.platform, app)
    shown = {key: values.get(f"{owner}.{kind}.{key}") for key in resources.KINDS[kind]}
    if style == JSON:
        show_json(shown)
        return
    heading(f"resource {kind}s {app.name} information [{owner}]")
    show_values(shown.items())


def _clear(context: Context, app: str, kind: str, name: str | None) -> None:
    found = context.app(app)
    owner = resources.type_name(name) if name else None
    resources.clear(context.platform, found, kind, owner)
    click.echo(f"{STEP}Clearing resource {kind}s of {app} ({owner or 'all types'})")
    click.echo(f"{DETAIL}It holds when its processes start next: ps:restart {app}")
