"""deploys:*: every attempt to make a release, with its steps and its log."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import click

from paas import cancel, workers
from paas.attempt import is_at_work
from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, date, heading, listing, show_json, show_values
from paas.errors import Conflict, NotFound, UsageError
from paas.model import App, Deploy
from paas.platform import Platform
from paas.reporter import DETAIL, STEP

NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)
POLL = 0.2  # seconds between looks for more of a log
BLOCK = 65536


@command(
    "deploys:list",
    access=Access.VIEWER,
    examples=("deploys:list shop", "deploys:list shop --format json"),
)
@click.argument("app")
@listing
def deploys_list(context: Context, app: str, style: str) -> None:
    """List the deploys of an app, newest first, with their states and durations."""
    found = context.app(app)
    deploys = context.platform.store.deploys.list(found.id)
    if style == JSON:
        show_json([_row(deploy) for deploy in deploys])
        return
    heading(f"{app} deploys")
    for deploy in deploys:
        state = f"{deploy.state} v{deploy.version}" if deploy.version else str(deploy.state)
        click.echo(
            f"{deploy.id:<6} {state:<14} {date(deploy.started_at)} {_seconds(deploy):7.1f} s  "
            f"{deploy.actor}: {deploy.reason} {deploy.error}".rstrip()
        )


@command(
    "deploys:info",
    access=Access.VIEWER,
    examples=("deploys:info shop", "deploys:info shop 41 --format json"),
)
@click.argument("app")
@click.argument("deploy", required=False)
@listing
def deploys_info(context: Context, app: str, deploy: str | None, style: str) -> None:
    """Describe a deploy (default: the last one): state, cause, and how long each step took."""
    record = find_deploy(context, app, deploy)
    values = _row(record) | {"branch": record.branch, "cancelled_by": record.cancelled_by}
    steps = list(_steps(record))
    if style == JSON:
        show_json(values | {"steps": [{"state": s, "seconds": took} for s, took in steps]})
        return
    heading(f"{app} deploy {record.id}")
    show_values([*values.items(), *((f"Step {s}", f"{took:.2f} s") for s, took in steps)])


@command(
    "deploys:log",
    access=Access.VIEWER,
    examples=("deploys:log shop", "deploys:log shop 41", "deploys:log shop --follow"),
)
@click.argument("app")
@click.argument("deploy", required=False)
@click.option("-t", "--follow", is_flag=True, help="Go on until a deploy at work has ended.")
def deploys_log(context: Context, app: str, deploy: str | None, follow: bool) -> None:
    """Print the complete log of a deploy (default: the last one), tools' output included."""
    record = find_deploy(context, app, deploy)
    path = context.platform.settings.logs / "deploys" / f"{record.id}.log"
    if not path.exists():
        raise NotFound(f"There is no log of deploy {record.id}")
    for text in _read(context.platform, record, path, follow=follow):
        click.echo(text, nl=False)


@command(
    "deploys:cancel",
    access=Access.DEPLOYER,
    examples=("deploys:cancel shop", "deploys:cancel shop 41"),
)
@click.argument("app")
@click.argument("deploy", required=False)
def deploys_cancel(context: Context, app: str, deploy: str | None) -> None:
    """Cancel the deploy that is at work. It undoes itself; what is live stays live.

    Refused once it has passed its commit point: then it is live, and releases:rollback takes it
    back.
    """
    platform = context.platform
    record = find_deploy(context, app, deploy) if deploy else _at_work(context, app)
    context.control.outlive_client()
    click.echo(f"{STEP}Cancelling deploy {record.id} of {app}")
    ended = cancel.cancel(platform, record, context.actor)
    click.echo(f"{DETAIL}It is {ended.state}; nothing was changed")


def _at_work(context: Context, app: str) -> Deploy:
    found = context.app(app)
    for record in context.platform.store.deploys.unfinished():
        if record.app_id == found.id:
            return record
    raise Conflict(f"{app} has no deploy at work", hint=f"deploys:list {app} shows all.")


def find_deploy(context: Context, app: str, deploy: str | None) -> Deploy:
    """Return the deploy with this number, or the last one. Raises NotFound, UsageError."""
    found = context.app(app)
    if deploy is None:
        return _latest(context.platform, found)
    if not NUMBER.fullmatch(deploy):
        raise UsageError(
            f"{deploy!r} is not a deploy", hint=f"deploys:list {app} shows their numbers."
        )
    record = context.platform.store.deploys.get(int(deploy))
    if record.app_id != found.id:
        raise NotFound(f"{app} has no deploy {deploy}", hint=f"deploys:list {app} shows them.")
    return record


def _latest(platform: Platform, app: App) -> Deploy:
    latest = platform.store.deploys.list(app.id, limit=1)
    if not latest:
        raise NotFound(f"{app.name} was never deployed", hint=f"Push to {app.name} first.")
    return latest[0]


def _read(platform: Platform, deploy: Deploy, path: Path, *, follow: bool) -> Iterator[str]:
    """Yield the log; when following, until the deploy is over or its process has died."""
    with path.open(errors="replace") as log:
        while True:
            # Looked at before the last block is read, so that no line comes in between.
            is_over = not follow or (_is_over(platform, deploy) and not is_at_work(log))
            while text := log.read(BLOCK):
                yield text
            if is_over:
                return
            time.sleep(POLL)


def _is_over(platform: Platform, deploy: Deploy) -> bool:
    now = platform.store.deploys.get(deploy.id)
    return now.state.is_final or not workers.is_alive(deploy.pid, deploy.pid_started)


def _steps(deploy: Deploy) -> Iterator[tuple[str, float]]:
    """Yield each state with the seconds that it lasted; the last one's end is the deploy's."""
    ends = [*(at for _, at in deploy.steps[1:]), deploy.finished_at or time.time()]
    for (state, began), ended in zip(deploy.steps, ends, strict=False):
        if not state.is_final:
            yield str(state), round(max(ended - began, 0.0), 3)


def _seconds(deploy: Deploy) -> float:
    return (deploy.finished_at or time.time()) - deploy.started_at


def _row(deploy: Deploy) -> dict[str, object]:
    return {
        "id": deploy.id,
        "state": deploy.state.value,
        "version": f"v{deploy.version}" if deploy.version else None,
        "commit": deploy.commit,
        "started_at": date(deploy.started_at),
        "finished_at": date(deploy.finished_at) if deploy.finished_at else None,
        "seconds": round(_seconds(deploy), 3),
        "actor": deploy.actor,
        "reason": deploy.reason,
        "error": deploy.error,
    }
