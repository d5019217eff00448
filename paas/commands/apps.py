"""apps:*: create, list, destroy and describe apps."""

import click

from paas import identity, operate, routing
from paas.commands.confirm import confirm, force_flag
from paas.commands.declare import Access, Context, command
from paas.commands.reports import date, listing, report, show_list
from paas.commands.scope import report_apps
from paas.model import App
from paas.origins import origin_of
from paas.platform import Platform
from paas.reporter import DETAIL, PROBLEM

KEYS = (
    "created-at",
    "deploy-branch",
    "deploy-source",
    "deploy-source-metadata",
    "deploying",
    "locked",
    "locked-by",
    "release",
    "urls",
)


@command("apps:create", access=Access.MEMBER, examples=("apps:create shop",))
@click.argument("app")
def apps_create(context: Context, app: str) -> None:
    """Create an app. A push to a name that does not exist does the same."""
    context.create_app(app)
    settings = context.platform.settings
    remote = settings.remote(app)
    click.echo(f"Creating {app}... done")
    click.echo(f"{DETAIL}Push to it: git remote add paas {remote} && git push paas HEAD:main")


@command("apps:list", access=Access.MEMBER, examples=("apps:list", "apps:list --format json"))
@listing
def apps_list(context: Context, style: str) -> None:
    """List all apps."""
    names = [app.name for app in context.apps()]
    if not names and style != "json":
        click.echo(f"{PROBLEM}You haven't deployed any applications yet", err=True)
        return
    show_list("My Apps", names, style)


@command(
    "apps:destroy",
    access=Access.OWNER,
    examples=("apps:destroy shop", "apps:destroy shop --force"),
)
@click.argument("app")
@force_flag
def apps_destroy(context: Context, app: str, force: bool) -> None:
    """Destroy an app: its processes, releases, config, domains and repository.

    Asks to type the app's name, unless --force is given. Nothing of it can be brought back.
    """
    found = context.app(app)
    if not force:
        confirm(app, f"{app} and all that belongs to it", "apps:destroy")
    context.control.outlive_client()
    click.echo(f"Destroying {app}...")
    operate.destroy(context.platform, found)
    click.echo(f"{DETAIL}{app} is destroyed")


@command("apps:exists", access=Access.VIEWER, examples=("apps:exists shop",))
@click.argument("app")
def apps_exists(context: Context, app: str) -> None:
    """Say by the exit status whether an app exists: 0 or 20."""
    context.app(app)


@command(
    "apps:report",
    access=Access.VIEWER,
    examples=("apps:report", "apps:report shop --app-urls", "apps:report shop --format json"),
)
@click.argument("app", required=False)
@report("app", *KEYS)
def apps_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Describe an app, or all apps."""
    platform = context.platform
    report_apps(context, "app", app, lambda each: _describe(platform, each), style, only)


def _describe(platform: Platform, app: App) -> dict[str, object]:
    current = platform.store.releases.current(app.id)
    commit = current.commit if current else None
    origin = origin_of(platform, app, commit) if commit else None
    lock = identity.find_lock(platform, app)
    values = (
        date(app.created_at),
        app.deploy_branch,
        origin.kind if origin else None,
        origin.detail if origin else None,
        platform.locks.holder(app.id) is not None,
        lock is not None,
        lock.actor if lock else None,
        f"v{app.version}" if app.version else None,
        routing.urls_of(platform, app),
    )
    return dict(zip(KEYS, values, strict=True))
