"""builds:*: Dokku's words for deploys:*, with its keys and states."""

import click

from paas import deploy as pipeline
from paas import retention, workers
from paas.commands import deploys
from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, date, heading, listing, show_json, show_values
from paas.commands.scope import meant
from paas.errors import Conflict
from paas.model import Deploy, DeployState
from paas.reporter import DETAIL

BUILDING = ("push", "git:", "ps:rebuild", "image was gone")  # how reasons with a build begin
STATUS = {
    DeployState.DONE: "succeeded",
    DeployState.FAILED: "failed",
    DeployState.CANCELLED: "canceled",
}
CURRENT = "current"


@command(
    "builds:list",
    access=Access.VIEWER,
    examples=("builds:list shop", "builds:list shop --status failed --format json"),
)
@click.argument("app", required=False)
@click.option("--kind", type=click.Choice(["build", "deploy"]), help="Only with, or without code.")
@click.option(
    "--status",
    type=click.Choice(["running", "succeeded", "failed", "canceled", "abandoned"]),
    help="Only these.",
)
@listing
def builds_list(
    context: Context, app: str | None, kind: str | None, status: str | None, style: str
) -> None:
    """List what was built and deployed, newest first; without an app what is at work now."""
    apps = {each.id: each.name for each in meant(context, app)}
    store = context.platform.store
    records = store.deploys.list(next(iter(apps))) if app else store.deploys.unfinished()
    rows = [_row(record, apps[record.app_id]) for record in records if record.app_id in apps]
    rows = [r for r in rows if kind in {None, r["kind"]} and status in {None, r["status"]}]
    if style == JSON:
        show_json(rows)
        return
    heading(f"{app} builds" if app else "Running builds")
    for row in rows:
        click.echo(
            f"{row['id']:<6} {row['app']:<16} {row['kind']:<6} {row['status']:<10} "
            f"{row['started_at']} {row['source']}"
        )


@command("builds:info", access=Access.VIEWER, examples=("builds:info shop 41 --format json",))
@click.argument("app")
@click.argument("build")
@listing
def builds_info(context: Context, app: str, build: str, style: str) -> None:
    """Describe one build by its number."""
    row = _row(deploys.find_deploy(context, app, build), app)
    if style == JSON:
        show_json(row)
        return
    heading(f"{app} build {build}")
    show_values(row.items())


@command(
    "builds:output", access=Access.VIEWER, examples=("builds:output shop", "builds:output shop 41")
)
@click.argument("app")
@click.argument("build", required=False, metavar="[BUILD|current]")
def builds_output(context: Context, app: str, build: str | None) -> None:
    """Print the log of a build (default: the last one), and follow one at work to its end."""
    context.app(app)
    chosen = None if build == CURRENT else build
    click.get_current_context().invoke(
        deploys.deploys_log.click, app=app, deploy=chosen, follow=True
    )


@command("builds:cancel", access=Access.DEPLOYER, examples=("builds:cancel shop",))
@click.argument("app")
def builds_cancel(context: Context, app: str) -> None:
    """Cancel the build at work. It undoes itself; what is live stays live."""
    context.app(app)
    click.get_current_context().invoke(deploys.deploys_cancel.click, app=app, deploy=None)


@command("cleanup", access=Access.DEPLOYER, examples=("cleanup shop", "cleanup"))
@click.argument("app", required=False)
def cleanup(context: Context, app: str | None) -> None:
    """Drop releases beyond the retention with their images; the background does so anyhow.

    Without an app, for admins: of all apps, with images that nobody wants and the cache's surplus.
    """
    platform = context.platform
    if app is None:
        context.require(Access.ADMIN)
    skipped = 0
    for each in meant(context, app):
        try:
            with platform.locks.app(each.id, context.actor.name, "cleanup", patience=0):
                pipeline.end_abandoned(platform, each)
                retention.prune(platform, platform.store.apps.by_id(each.id))
        except Conflict:
            skipped += 1
            click.echo(f"{DETAIL}{each.name} is busy and is left alone")
    if app is None:
        retention.remove_orphans(platform)
        platform.builder.tidy()
    if not skipped:
        click.echo(f"{DETAIL}Clean")


def _row(deploy: Deploy, app: str) -> dict[str, object]:
    return {
        "id": str(deploy.id),
        "app": app,
        "kind": "build" if deploy.reason.startswith(BUILDING) else "deploy",
        "source": deploy.reason,
        "status": _status(deploy),
        "pid": deploy.pid,
        "started_at": date(deploy.started_at),
        "finished_at": date(deploy.finished_at) if deploy.finished_at else None,
        "exit_code": None if not deploy.finished_at else int(deploy.state is not DeployState.DONE),
    }


def _status(deploy: Deploy) -> str:
    """Return Dokku's word; `abandoned` is one whose process died, until paas ends it."""
    if deploy.state in STATUS:
        return STATUS[deploy.state]
    is_alive = workers.is_alive(deploy.pid, deploy.pid_started)
    return "running" if is_alive else "abandoned"
