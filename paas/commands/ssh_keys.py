"""ssh-keys:*: the keys of users. Their first one makes a user."""

import sys

import click

from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, date, heading, listing, show_json
from paas.errors import UsageError
from paas.keys import parse_key, write_authorized_keys
from paas.model import SshKey, key_name, user_name
from paas.reporter import DETAIL, STEP
from paas.sessions import end_commands

PASTE = 32 * 1024  # characters: an rsa key of 16384 bits has 2800


@command(
    "ssh-keys:add",
    access=Access.HOST,
    examples=(
        "ssh-keys:add anna < ~/.ssh/id_ed25519.pub",
        "ssh-keys:add anna-laptop --user anna < laptop.pub",
        "ssh-keys:add ben --admin < ben.pub",
    ),
)
@click.argument("name")
@click.option("--user", help="Whose key it is; default: of the user called NAME.")
@click.option(
    "--admin/--member",
    "is_admin",
    default=None,
    help="What a new user is; the first one is an admin.",
)
def ssh_keys_add(context: Context, name: str, user: str | None, is_admin: bool | None) -> None:
    """Let a key push and type commands. The public key is read from stdin.

    A user of that name is made if there is none: a member, who sees the apps that are granted
    (access:grant) and those that are created by that key; or an admin, who sees all. ed25519,
    ecdsa, rsa of at least 3072 bits; keys in hardware (sk-*) through OpenSSH only.
    """
    platform = context.platform
    if user:
        _refuse_role(is_admin, platform.store.users.get(user).name)
    else:
        user_name(name)
    key = read_key(name, f"ssh-keys:add {name}", user or name)
    if is_admin is not None and name in {known.name for known in platform.store.users.list()}:
        _refuse_role(is_admin, name)
    platform.store.keys.add(key, is_admin=is_admin)
    write_authorized_keys(platform.settings, platform.store.keys)
    owner = platform.store.users.get(user or name)
    click.echo(f"{STEP}{name} may push now")
    click.echo(f"{DETAIL}{key.fingerprint} ({key.type})")
    click.echo(f"{DETAIL}A key of the {'admin' if owner.is_admin else 'member'} {owner.name}")


@command(
    "ssh-keys:list",
    access=Access.MEMBER,
    examples=("ssh-keys:list", "ssh-keys:list --format json"),
)
@listing
def ssh_keys_list(context: Context, style: str) -> None:
    """List the keys that may push: all of them for admins, your own for members."""
    whose = None if context.actor.sees_all else context.actor.name
    keys = context.platform.store.keys.list(whose)
    if style == JSON:
        show_json([_row(key) for key in keys])
        return
    heading("Ssh keys")
    width = max((len(key.name) for key in keys), default=0)
    for key in keys:
        added = date(key.created_at)
        click.echo(f"{key.name:{width}}  {key.fingerprint}  {key.type}  {added}  {key.user}")


@command("ssh-keys:remove", access=Access.HOST, examples=("ssh-keys:remove anna",))
@click.argument("name")
def ssh_keys_remove(context: Context, name: str) -> None:
    """Take a key's access away; what it has open ends at once. Its user stays, with all rights.

    A deploy whose push has arrived goes on to its end.
    """
    store = context.platform.store
    key = store.keys.remove(name)
    write_authorized_keys(context.platform.settings, store.keys)
    end_commands(context.platform, [key])
    click.echo(f"{STEP}{name} may not push any more")
    click.echo(f"{DETAIL}{key.fingerprint}")
    if not store.keys.list(key.user):
        click.echo(
            f"{DETAIL}{key.user} has no key left; to remove the user: users:remove {key.user}"
        )


def read_key(name: str, typed: str, user: str = "") -> SshKey:
    """Return the public key that comes on stdin. Raises UsageError when none does."""
    key_name(name)
    if sys.stdin.isatty():
        click.echo("Paste the public key, then press Enter and Ctrl-D:", err=True)
    text = sys.stdin.read(PASTE)
    if not text.strip():
        raise UsageError("No key came on stdin", hint=f"Run: paas {typed} < key.pub")
    return parse_key(name, text, user)


def _refuse_role(is_admin: bool | None, user: str) -> None:
    if is_admin is not None:
        raise UsageError(
            f"The user {user} is there already",
            hint=f"Leave --admin and --member out; to change it: users:set {user} role admin",
        )


def _row(key: SshKey) -> dict[str, object]:
    return {
        "name": key.name,
        "user": key.user,
        "fingerprint": key.fingerprint,
        "type": key.type,
        "added_at": date(key.created_at),
    }
