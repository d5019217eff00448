"""deploys:*: every attempt to make a release, with its log."""

import json
import re
import time

import click

from paas.commands.declare import Access, Context, command
from paas.errors import NotFound, UsageError
from paas.model import Deploy
from paas.platform import Platform

NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)


@command("deploys:list", access=Access.DEPLOYER, examples=("deploys:list shop",))
@click.argument("app")
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text")
def deploys_list(context: Context, app: str, style: str) -> None:
    """List the deploys of an app, newest first, with their states."""
    found = context.platform.store.apps.get(app)
    rows = [_row(deploy) for deploy in context.platform.store.deploys.list(found.id)]
    if style == "json":
        click.echo(json.dumps(rows))
        return
    click.echo(f"=====> {app} deploys")
    for row in rows:
        state = f"{row['state']} {row['version'] or ''}".strip()
        click.echo(
            f"{row['id']:<6} {state:<14} {row['started_at']}  "
            f"{row['actor']}: {row['reason']} {row['error']}".rstrip()
        )


@command(
    "deploys:log", access=Access.DEPLOYER, examples=("deploys:log shop", "deploys:log shop 41")
)
@click.argument("app")
@click.argument("deploy", required=False)
def deploys_log(context: Context, app: str, deploy: str | None) -> None:
    """Print the complete log of a deploy (default: the last one), tools' output included."""
    click.echo(_log(context.platform, _find(context.platform, app, deploy)), nl=False)


def _find(platform: Platform, app: str, deploy: str | None) -> Deploy:
    found = platform.store.apps.get(app)
    if deploy is None:
        latest = platform.store.deploys.list(found.id, limit=1)
        if not latest:
            raise NotFound(f"{app} was never deployed", hint=f"Push to {app} first.")
        return latest[0]
    if not NUMBER.fullmatch(deploy):
        raise UsageError(
            f"{deploy!r} is not a deploy", hint=f"deploys:list {app} shows their numbers."
        )
    record = platform.store.deploys.get(int(deploy))
    if record.app_id != found.id:
        raise NotFound(f"{app} has no deploy {deploy}", hint=f"deploys:list {app} shows them.")
    return record


def _log(platform: Platform, deploy: Deploy) -> str:
    path = platform.settings.logs / "deploys" / f"{deploy.id}.log"
    if not path.exists():
        raise NotFound(f"The log of deploy {deploy.id} was removed")
    return path.read_text(errors="replace")


def _row(deploy: Deploy) -> dict[str, object]:
    return {
        "id": deploy.id,
        "state": deploy.state.value,
        "version": f"v{deploy.version}" if deploy.version else None,
        "commit": deploy.commit,
        "started_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(deploy.started_at)),
        "actor": deploy.actor,
        "reason": deploy.reason,
        "error": deploy.error,
    }
