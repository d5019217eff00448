"""users:*: who may come in, and who is an admin."""

import click

from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, date, heading, listing, report, show_json, show_report
from paas.errors import NotFound
from paas.keys import write_authorized_keys
from paas.model import User, user_name
from paas.reporter import DETAIL, STEP
from paas.sessions import end_commands

KEYS = ("role", "keys", "apps", "created-at")


@command("users:add", access=Access.HOST, examples=("users:add ben", "users:add anna --admin"))
@click.argument("name")
@click.option(
    "--admin/--member", "is_admin", default=None, help="The first user is an admin, others members."
)
def users_add(context: Context, name: str, is_admin: bool | None) -> None:
    """Add a user, who can come in with the first key (ssh-keys:add does both at once)."""
    user = context.platform.store.users.add(user_name(name), is_admin=is_admin)
    click.echo(f"{STEP}{name} is there, as {_role(user)}")
    click.echo(f"{DETAIL}Next: paas ssh-keys:add {name} --user {name} < key.pub")


@command("users:remove", access=Access.HOST, examples=("users:remove ben",))
@click.argument("name")
def users_remove(context: Context, name: str) -> None:
    """Remove a user with all keys and roles. What is open ends at once; apps and deploys stay."""
    platform = context.platform
    keys, tokens = platform.store.keys.list(name), platform.store.tokens.made_by(name)
    platform.store.users.remove(name)
    write_authorized_keys(platform.settings, platform.store.keys)
    end_commands(platform, keys)
    click.echo(f"{STEP}{name} is removed, with all keys and roles")
    for app, token in tokens:
        click.echo(f"{DETAIL}A token of {name} stays: tokens:revoke {app} {token}")


@command("users:set", access=Access.HOST, examples=("users:set ben role admin",))
@click.argument("name")
@click.argument("key", type=click.Choice(["role"]))
@click.argument("role", type=click.Choice(["admin", "member"]))
def users_set(context: Context, name: str, key: str, role: str) -> None:  # noqa: ARG001 - the one key
    """Make a user an admin, who sees every app, or a member, who sees those that are granted."""
    platform = context.platform
    platform.store.users.set_admin(name, is_admin=role == "admin")
    if role != "admin":
        end_commands(platform, platform.store.keys.list(name))
    click.echo(f"{STEP}{name} is {role} now")


@command("users:list", access=Access.ADMIN, examples=("users:list", "users:list --format json"))
@listing
def users_list(context: Context, style: str) -> None:
    """List all users."""
    users = context.platform.store.users.list()
    if style == JSON:
        show_json([{"name": user.name, **_describe(context, user)} for user in users])
        return
    heading("Users")
    width = max((len(user.name) for user in users), default=0)
    for user in users:
        keys = len(context.platform.store.keys.list(user.name))
        click.echo(f"{user.name:{width}}  {_role(user):6}  {keys} key{'' if keys == 1 else 's'}")


@command(
    "users:report",
    access=Access.MEMBER,
    examples=("users:report", "users:report ben", "users:report ben --format json"),
)
@click.argument("name", required=False)
@report("users", *KEYS)
def users_report(context: Context, name: str | None, style: str, only: str | None) -> None:
    """Describe a user: role, keys, roles at apps. Members see themselves, admins everybody."""
    whose = name or context.actor.user
    if whose is None:
        raise NotFound("Which user?", hint="users:list shows all.")
    if whose != context.actor.user:
        context.require(Access.ADMIN)
    user = context.platform.store.users.get(whose)
    show_report("users", whose, _describe(context, user), style, only)


def _describe(context: Context, user: User) -> dict[str, object]:
    store = context.platform.store
    values = (
        _role(user),
        [key.name for key in store.keys.list(user.name)],
        {app: str(role) for app, role in store.grants.of_user(user.name).items()},
        date(user.created_at),
    )
    return dict(zip(KEYS, values, strict=True))


def _role(user: User) -> str:
    return "admin" if user.is_admin else "member"
