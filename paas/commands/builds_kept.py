"""builds:set, builds:report, builds:prune: how many deploys are remembered, with their logs."""

import click

from paas import deploy as pipeline
from paas import retention
from paas.commands.declare import Access, Context, command
from paas.commands.reports import report
from paas.commands.scope import choose, names_property, report_apps
from paas.errors import Conflict, UsageError
from paas.model import App
from paas.platform import Platform
from paas.reporter import DETAIL, STEP

KEY = "retention"


@command(
    "builds:set",
    access=Access.DEPLOYER,
    examples=("builds:set shop retention 200", "builds:set --global retention 20"),
)
@names_property("KEY [VALUE]")
def builds_set(
    context: Context, app: str | None, words: tuple[str, ...], *, is_global: bool
) -> None:
    """Set how many deploys are remembered that made no release which is kept; "" clears it.

    Key: retention (default 50). Those of kept releases stay as long as these, see releases:set.
    """
    found, words = choose(context, app, words, is_global=is_global)
    key, value = (*words, "", "")[:2]
    if key != KEY or len(words) > 2:  # noqa: PLR2004 - key, value
        raise UsageError(f"{key!r} is not a builds property", hint=f"There is: {KEY}")
    number = str(retention.parse_retention(value, "deploys")) if value else None
    app_id = found.id if found else None
    context.platform.store.properties.set(app_id, retention.BUILDS, key, number)
    click.echo(f"{STEP}{key} is {number or 'the default'}")
    click.echo(f"{DETAIL}What is beyond it goes after the next deploy, or now: builds:prune")


@command(
    "builds:report",
    access=Access.VIEWER,
    examples=("builds:report shop", "builds:report --format json"),
)
@click.argument("app", required=False)
@report("builds", KEY, "global-retention", "computed-retention")
def builds_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show how many deploys of an app, or of all apps, are remembered."""
    report_apps(context, "builds", app, lambda each: _describe(context.platform, each), style, only)


@command(
    "builds:prune",
    access=Access.DEPLOYER,
    examples=("builds:prune shop", "builds:prune --all-apps"),
)
@click.argument("app", required=False)
@click.option("--all-apps", "every", is_flag=True, help="Of every app; admins only.")
def builds_prune(context: Context, app: str | None, every: bool) -> None:
    """End deploys whose process died, and forget those beyond the retention, with their logs."""
    if every:
        context.require(Access.ADMIN)
    elif app is None:
        raise UsageError("No app is named", hint="Name one, or give --all-apps.")
    platform = context.platform
    for each in context.apps() if app is None else (context.app(app),):
        try:
            with platform.locks.app(each.id, context.actor.name, "builds:prune", patience=0):
                pipeline.end_abandoned(platform, each)
                retention.forget_deploys(platform, each)
        except Conflict:
            click.echo(f"{DETAIL}{each.name} is busy and is left alone")
    retention.remove_deploy_logs(platform)
    click.echo(f"{DETAIL}Pruned")


def _describe(platform: Platform, app: App) -> dict[str, object]:
    properties = platform.store.properties
    return {
        KEY: properties.get(app.id, retention.BUILDS).get(KEY),
        "global-retention": properties.get(None, retention.BUILDS).get(KEY),
        "computed-retention": retention.deploys_of(platform, app),
    }
