"""apps:rename, apps:clone, apps:lock and the like: what becomes of an app as a whole."""

import click

from paas import identity, operate, routing
from paas.commands.declare import Access, Context, command
from paas.commands.scope import choose, for_all
from paas.errors import Conflict, InvalidName, PaasError, UsageError
from paas.model import App
from paas.reporter import DETAIL, PROBLEM, STEP

skip_deploy_flag = click.option("--skip-deploy", is_flag=True, help="Start nothing new now.")


@command(
    "apps:rename",
    access=Access.OWNER,
    examples=("apps:rename shop store", "apps:rename --skip-deploy shop store"),
)
@click.argument("app")
@click.argument("new_name", metavar="NEW")
@skip_deploy_flag
def apps_rename(context: Context, app: str, new_name: str, skip_deploy: bool) -> None:
    """Give an app another name, without a moment's outage.

    It answers at its new default domain; added domains stay. Then its processes are replaced, so
    that PAAS_APP has the new name, unless --skip-deploy is given. Change your git remote.
    """
    platform = context.platform
    found = context.app(app)
    context.control.outlive_client()
    renamed = identity.rename(platform, found, new_name, context.actor)
    click.echo(f"Renaming {app} to {new_name}... done")
    _show_urls(context, renamed)
    if not skip_deploy and routing.routes_of(platform, renamed):
        operate.restart(platform, renamed, context.actor, "apps:rename")


@command(
    "apps:clone",
    access=Access.OWNER,
    examples=("apps:clone shop staging", "apps:clone --skip-deploy shop staging"),
)
@click.argument("app")
@click.argument("new_name", metavar="NEW")
@skip_deploy_flag
@click.option("--ignore-existing", is_flag=True, help="If NEW exists, leave it and exit 0.")
def apps_clone(
    context: Context, app: str, new_name: str, skip_deploy: bool, ignore_existing: bool
) -> None:
    """Make a new app with the config, scale, settings and code of another, and deploy it.

    Domains, certificates and data are not copied. Mind what both would then do twice: config names
    the same databases. Walls and limits that were opened for the other are not open for this one,
    unless who clones may open them.
    """
    platform = context.platform
    found = context.app(app)
    context.control.outlive_client()
    try:
        made = context.create_app(new_name)
    except Conflict as error:
        if not ignore_existing:
            raise
        click.echo(f"{PROBLEM}{error.message}: {new_name} is left as it is", err=True)
        return
    try:
        commit = identity.copy(platform, found, made, context.actor)
        left = identity.copy_walls(
            platform,
            found,
            made,
            opens_walls=context.may(Access.HOST),
            lifts_limits=context.may(Access.ADMIN),
        )
    except PaasError:
        operate.destroy(platform, made)
        raise
    click.echo(f"Cloning {app} to {new_name}... done")
    if left:
        click.echo(f"{DETAIL}Not as in {app}, for who may change them: {' '.join(left)}")
    if commit is None or skip_deploy:
        click.echo(f"{DETAIL}Nothing is deployed: push to {new_name}, or: ps:rebuild {new_name}")
    else:
        identity.deploy_copy(platform, context.app(new_name), context.actor, commit)


@command("apps:lock", access=Access.DEPLOYER, examples=("apps:lock shop",))
@click.argument("app")
def apps_lock(context: Context, app: str) -> None:
    """Lock an app: no push, rebuild, rollback, scale, restart or config change is deployed.

    What runs goes on, is restarted when it crashes, and can be stopped. A deploy that has begun
    already ends as it would.
    """
    identity.lock(context.platform, context.app(app), context.actor)
    click.echo(f"{STEP}{app} is locked; to go on: apps:unlock {app}")


@command("apps:unlock", access=Access.DEPLOYER, examples=("apps:unlock shop",))
@click.argument("app")
def apps_unlock(context: Context, app: str) -> None:
    """Let deploys of an app begin again."""
    identity.unlock(context.platform, context.app(app))
    click.echo(f"{STEP}{app} is not locked")


@command("apps:locked", access=Access.VIEWER, examples=("apps:locked shop",))
@click.argument("app")
def apps_locked(context: Context, app: str) -> int:
    """Say whether an app is locked, by whom and since when; exit 1 if it is not."""
    held = identity.find_lock(context.platform, context.app(app))
    click.echo(f"{DETAIL}{app} {held}" if held else f"{DETAIL}{app} is not locked")
    return int(held is None)


@command(
    "apps:set",
    access=Access.DEPLOYER,
    examples=("apps:set --global disable-autocreation true",),
)
@click.argument("app", required=False)
@click.argument("words", nargs=-1, metavar="KEY [VALUE]")
@for_all
def apps_set(context: Context, app: str | None, words: tuple[str, ...], is_global: bool) -> None:
    """Set what holds for all apps; an empty value clears it.

    Key: disable-autocreation (true: a push to an app that does not exist is refused).
    """
    _, words = choose(context, app, words, is_global=is_global)
    key, value = (*words, "", "")[:2]
    if not is_global or key != identity.NO_AUTOCREATION or len(words) > 2:  # noqa: PLR2004 - key, value
        raise UsageError(
            "There is only one property", hint=f"apps:set --global {identity.NO_AUTOCREATION} true"
        )
    if value not in {"", "true", "false"}:
        raise InvalidName(f"{value!r} is neither true nor false", hint="Give true or false.")
    context.platform.store.properties.set(None, "apps", key, value)
    click.echo(f"{STEP}{key} is {value or 'false'}")


def _show_urls(context: Context, app: App) -> None:
    for url in routing.urls_of(context.platform, app):
        click.echo(f"{DETAIL}{url}")
