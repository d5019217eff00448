"""registry:*: logins with which base images are pulled."""

import json
import re
import sys

import click

from paas.commands.declare import Access, Context, command
from paas.errors import NotFound, UsageError

REGISTRY = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}(?::[0-9]{1,5})?", re.ASCII)
TOPIC = "registry"


@command(
    "registry:login",
    access=Access.HOST,
    examples=("registry:login registry.example.org anna < password.txt",),
)
@click.argument("registry")
@click.argument("user")
def registry_login(context: Context, registry: str, user: str) -> None:
    """Store a login for pulling base images; the password is read from standard input."""
    if not REGISTRY.fullmatch(registry):
        raise UsageError(
            f"{registry!r} is not a registry", hint="Give a host, with its port if any."
        )
    if not user or ":" in user or not user.isprintable():
        raise UsageError(f"{user!r} is not a user name of a registry")
    password = sys.stdin.readline().rstrip("\n")
    if not password:
        raise UsageError("No password came on standard input", hint="Type it, or redirect a file.")
    context.platform.store.properties.set(None, TOPIC, registry, f"{user}:{password}")
    click.echo(f"-----> Builds pull from {registry} as {user}")


@command("registry:logout", access=Access.HOST, examples=("registry:logout registry.example.org",))
@click.argument("registry")
def registry_logout(context: Context, registry: str) -> None:
    """Forget the login of a registry."""
    if registry not in context.platform.store.properties.get(None, TOPIC):
        raise NotFound(f"There is no login for {registry}", hint="registry:report lists them.")
    context.platform.store.properties.set(None, TOPIC, registry, None)
    click.echo(f"-----> Forgot the login for {registry}")


@command("registry:report", access=Access.HOST, examples=("registry:report --format json",))
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
def registry_report(context: Context, style: str) -> None:
    """List the registries with a login, and the user; never the password."""
    stored = context.platform.store.properties.get(None, TOPIC)
    users = {registry: login.partition(":")[0] for registry, login in sorted(stored.items())}
    if style == "json":
        click.echo(json.dumps(users))
        return
    click.echo("=====> Registry logins")
    for registry, user in users.items():
        click.echo(f"       {registry}: {user}")
