"""repo:*: what an app's repository and its build cache take of the disk."""

import click

from paas import builders
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


@command("repo:purge-cache", access=Access.DEPLOYER, examples=("repo:purge-cache shop",))
@click.argument("app")
def repo_purge_cache(context: Context, app: str) -> None:
    """Begin the next build with empty package caches; ps:rebuild takes no cached step either."""
    builders.purge_cache(context.platform, context.app(app))
    click.echo(f"{STEP}The package caches of {app} are empty from the next build on")
