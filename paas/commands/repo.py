"""repo:*: what an app's repository and its build cache take of the disk."""

import click

from paas.commands.declare import Access, Context, command
from paas.reporter import DETAIL, STEP


@command("repo:gc", access=Access.DEPLOYER, examples=("repo:gc shop",))
@click.argument("app")
def repo_gc(context: Context, app: str) -> None:
    """Drop what no branch, tag or kept release of an app's repository refers to."""
    found = context.app(app)
    click.echo(f"{STEP}Cleaning the repository of {app}")
    before, after = context.platform.repos.collect(found)
    click.echo(f"{DETAIL}{before / 1e6:.1f} MB before, {after / 1e6:.1f} MB now")
