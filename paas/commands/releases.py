"""releases:*: what was current, and how to get it back."""

import json
import re
import time

import click

from paas import operate
from paas.commands.declare import Access, Context, command
from paas.errors import UsageError
from paas.model import Release

VERSION = re.compile(r"v?([0-9]{1,9})", re.ASCII)


def parse_version(text: str) -> int:
    """Return the number of `v12` or `12`. Raises UsageError."""
    match = VERSION.fullmatch(text)
    if not match:
        raise UsageError(f"{text!r} is not a release", hint="releases:list APP shows v1, v2, ...")
    return int(match[1])


@command("releases:list", access=Access.DEPLOYER, examples=("releases:list shop",))
@click.argument("app")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
def releases_list(context: Context, app: str, style: str) -> None:
    """List the releases of an app, newest first."""
    store = context.platform.store
    found = store.apps.get(app)
    rows = [_row(release) for release in store.releases.list(found.id)]
    if style == "json":
        click.echo(json.dumps(rows))
        return
    click.echo(f"=====> {app} releases")
    for row in rows:
        mark = "*" if row["version"] == f"v{found.version}" else " "
        commit = str(row["commit"] or "-")[:7]
        click.echo(
            f"{mark} {row['version']:<6} {commit:<8} {row['created_at']}  "
            f"{row['actor']}: {row['reason']}"
        )


@command(
    "releases:rollback",
    access=Access.DEPLOYER,
    examples=("releases:rollback shop", "releases:rollback shop v12"),
)
@click.argument("app")
@click.argument("version", required=False)
def releases_rollback(context: Context, app: str, version: str | None) -> None:
    """Make an earlier release (default: the one before) current again, as a new release.

    Image and config come back. Databases, volumes and domains are not touched. To go forward
    again, push something new or run ps:rebuild: for git the old commit is "Everything up-to-date".
    """
    number = parse_version(version) if version else None
    found = context.platform.store.apps.get(app)
    operate.rollback(context.platform, found, context.actor, number)
    click.echo(f"       Not rolled back: databases and domains. Forward again: ps:rebuild {app}")


def _row(release: Release) -> dict[str, object]:
    return {
        "version": f"v{release.version}",
        "commit": release.commit,
        "created_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(release.created_at)),
        "actor": release.actor,
        "reason": release.reason,
        "deploy": release.deploy_id,
    }
