"""ssh-keys:*: the keys that may push."""

import sys

import click

from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, date, heading, listing, show_json
from paas.errors import UsageError
from paas.keys import parse_key, write_authorized_keys
from paas.model import key_name
from paas.reporter import DETAIL, STEP

PASTE = 32 * 1024  # characters: an rsa key of 16384 bits has 2800


@command(
    "ssh-keys:add", access=Access.HOST, examples=("ssh-keys:add anna < ~/.ssh/id_ed25519.pub",)
)
@click.argument("name")
def ssh_keys_add(context: Context, name: str) -> None:
    """Let a key push and type commands. The public key is read from stdin.

    ed25519, ecdsa, rsa of at least 3072 bits; keys in hardware (sk-*) through OpenSSH only.
    """
    key_name(name)
    if sys.stdin.isatty():
        click.echo("Paste the public key, then press Enter and Ctrl-D:", err=True)
    text = sys.stdin.read(PASTE)
    if not text.strip():
        raise UsageError("No key came on stdin", hint=f"Run: paas ssh-keys:add {name} < key.pub")
    key = parse_key(name, text)
    context.platform.store.keys.add(key)
    write_authorized_keys(context.platform.settings, context.platform.store.keys)
    click.echo(f"{STEP}{name} may push now")
    click.echo(f"{DETAIL}{key.fingerprint} ({key.type})")


@command(
    "ssh-keys:list",
    access=Access.DEPLOYER,
    examples=("ssh-keys:list", "ssh-keys:list --format json"),
)
@listing
def ssh_keys_list(context: Context, style: str) -> None:
    """List the keys that may push."""
    keys = context.platform.store.keys.list()
    if style == JSON:
        show_json(
            [
                {
                    "name": key.name,
                    "fingerprint": key.fingerprint,
                    "type": key.type,
                    "added_at": date(key.created_at),
                }
                for key in keys
            ]
        )
        return
    heading("Ssh keys")
    width = max((len(key.name) for key in keys), default=0)
    for key in keys:
        click.echo(f"{key.name:{width}}  {key.fingerprint}  {key.type}  {date(key.created_at)}")


@command("ssh-keys:remove", access=Access.HOST, examples=("ssh-keys:remove anna",))
@click.argument("name")
def ssh_keys_remove(context: Context, name: str) -> None:
    """Take a key's access away; its open connections end."""
    key = context.platform.store.keys.remove(name)
    write_authorized_keys(context.platform.settings, context.platform.store.keys)
    click.echo(f"{STEP}{name} may not push any more")
    click.echo(f"{DETAIL}{key.fingerprint}")
