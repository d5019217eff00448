"""access:*: who may do what to an app."""

import click

from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, heading, listing, show_json
from paas.commands.scope import meant
from paas.errors import Conflict
from paas.model import App, Role
from paas.reporter import DETAIL, STEP
from paas.sessions import end_commands

ROLE = click.Choice([str(role) for role in Role])


@command(
    "access:grant",
    access=Access.OWNER,
    examples=("access:grant shop ben deployer", "access:grant shop carla viewer"),
)
@click.argument("app")
@click.argument("user")
@click.argument("role", type=ROLE)
def access_grant(context: Context, app: str, user: str, role: str) -> None:
    """Give a user a role at an app, in the place of another one.

    viewer: sees it, its logs and the names of its config vars. deployer: also pushes, operates it
    and reads config values. owner: also destroys it and decides who may do what.
    """
    found, given = context.app(app), Role(role)
    if given is not Role.OWNER:
        _keep_an_owner(context, found, user)
    before = context.platform.store.grants.of_app(found.id).get(user, given)
    context.platform.store.grants.set(found.id, user, given)
    if not given.covers(before):
        _end_commands(context, user)
    click.echo(f"{STEP}{user} is {given} of {app}")
    if given is not Role.OWNER:
        _tell_tokens(context, app, user)


@command("access:revoke", access=Access.OWNER, examples=("access:revoke shop ben",))
@click.argument("app")
@click.argument("user")
def access_revoke(context: Context, app: str, user: str) -> None:
    """Take a user's role at an app away: for that user it does not exist any more.

    All commands of the user that are at work end, at whatever app; they can be typed again.
    """
    found = context.app(app)
    _keep_an_owner(context, found, user)
    context.platform.store.grants.remove(found.id, user)
    _end_commands(context, user)
    click.echo(f"{STEP}{user} has no role at {app} any more")
    _tell_tokens(context, app, user)
    if context.platform.store.users.get(user).is_admin:
        click.echo(f"{DETAIL}As an admin {user} sees it all the same; see users:set")


@command(
    "access:list",
    access=Access.VIEWER,
    examples=("access:list shop", "access:list", "access:list shop --format json"),
)
@click.argument("app", required=False)
@listing
def access_list(context: Context, app: str | None, style: str) -> None:
    """List who has a role at an app, or at all apps. Admins, who see every app, have none."""
    apps = meant(context, app)
    grants = {each.name: context.platform.store.grants.of_app(each.id) for each in apps}
    if style == JSON:
        show_json(grants[app] if app else grants)
        return
    for name, roles in grants.items():
        heading(f"{name} access")
        width = max(map(len, roles), default=0)
        for user, role in roles.items():
            click.echo(f"{user:{width}}  {role}")


def _end_commands(context: Context, user: str) -> None:
    end_commands(context.platform, context.platform.store.keys.list(user))


def _tell_tokens(context: Context, app: str, user: str) -> None:
    """Name the keys to the app that somebody made who is its owner no longer."""
    for where, token in context.platform.store.tokens.made_by(user):
        if where == app:
            click.echo(f"{DETAIL}A token of {user} stays: tokens:revoke {app} {token}")


def _keep_an_owner(context: Context, app: App, user: str) -> None:
    """Raise Conflict if an owner would leave the app without one; an admin may do that."""
    roles = context.platform.store.grants.of_app(app.id)
    others = [name for name, role in roles.items() if role is Role.OWNER and name != user]
    if roles.get(user) is Role.OWNER and not others and not context.actor.sees_all:
        raise Conflict(
            f"{user} is the only owner of {app.name}",
            hint=f"Make another one first: access:grant {app.name} USER owner",
        )
