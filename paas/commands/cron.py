"""cron:*: jobs that run by a schedule, and what came of them."""

import shlex
import time

import click

from paas import cron, oneoff, terminal
from paas.commands.declare import Access, Context, command
from paas.commands.reports import (
    JSON,
    date,
    heading,
    listing,
    number,
    report,
    show_json,
    span,
)
from paas.commands.run import describe, show_output, with_term
from paas.commands.scope import choose, key_and_value, names_property, report_apps
from paas.errors import NotFound, UsageError
from paas.manifest import CronTask, Overlap
from paas.model import App
from paas.reporter import STEP, clean
from paas.schedule import parse_schedule
from paas.tasks import CronJob, Run, RunKind

KEYS = ("maintenance", "global-maintenance", "failing", "task-count")
COMMAND_BYTES = 4096  # as of a Procfile's line
MOST = 100  # jobs of one app


@command(
    "cron:list", access=Access.VIEWER, examples=("cron:list shop", "cron:list shop --format json")
)
@click.argument("app")
@listing
def cron_list(context: Context, app: str, style: str) -> None:
    """List an app's jobs: from app.json, and those added here. Schedules are in UTC."""
    found = context.app(app)
    jobs = [_as_json(context, found, job) for job in context.platform.store.cron.of(found.id)]
    if style == JSON:
        show_json(jobs)
        return
    heading(f"Cron jobs of {app}")
    for job in jobs:
        note = "suspended" if job["suspended"] else f"next {job['next']}"
        line = f"{job['id']}  {job['schedule']}  {note}  last {job['last'] or 'never'}"
        click.echo(f"{line}  {clean(str(job['command']))}")


@command(
    "cron:add",
    access=Access.DEPLOYER,
    examples=(
        "cron:add shop @daily python manage.py cleanup",
        "cron:add --policy forbid shop '*/10 * * * *' worker",
    ),
)
@click.option(
    "--policy",
    type=click.Choice([str(policy) for policy in Overlap]),
    default="allow",
    help="Of overlaps.",
)
@click.argument("app")
@click.argument("schedule")
@click.argument("words", nargs=-1, required=True, metavar="CMD...", type=click.UNPROCESSED)
def cron_add(
    context: Context, app: str, schedule: str, words: tuple[str, ...], policy: str
) -> None:
    """Add a job: five fields (minute hour day month weekday, UTC), or @hourly, @daily and the like.

    It runs in a container of the then current release. If it still runs when it is due again:
    allow (a second one), forbid (the new one is skipped), replace (the old one is ended).
    """
    found = context.app(app)
    parse_schedule(schedule)
    text = words[0] if len(words) == 1 else shlex.join(words)
    if len(text.encode()) > COMMAND_BYTES:
        raise UsageError(
            f"The command is longer than {COMMAND_BYTES} bytes", hint="Put it in a file"
        )
    if len(context.platform.store.cron.of(found.id)) >= MOST:
        raise UsageError(f"{app} has {MOST} jobs already", hint=f"See cron:list {app}")
    job = CronJob(found.id, CronTask(schedule, text, Overlap(policy)), is_added=True)
    context.platform.store.cron.add(found.id, job)
    click.echo(f"{STEP}Job {job.id} of {app} is due next {_next(job)}")


@command("cron:remove", access=Access.DEPLOYER, examples=("cron:remove shop 1f0c2a9b",))
@click.argument("app")
@click.argument("job")
def cron_remove(context: Context, app: str, job: str) -> None:
    """Remove a job that was added here. One of app.json goes with the next push that lacks it."""
    found = context.app(app)
    context.platform.store.cron.remove(found.id, job)
    click.echo(f"{STEP}Job {clean(job)} of {app} is removed")


@command(
    "cron:run",
    access=Access.DEPLOYER,
    examples=("cron:run shop 1f0c2a9b", "cron:run shop 1f0c2a9b --detach"),
)
@click.argument("app")
@click.argument("job")
@click.option("--detach", is_flag=True, help="Leave it alone; print its name.")
def cron_run(context: Context, app: str, job: str, detach: bool) -> int:
    """Run a job now, whatever its schedule; its exit status is passed on."""
    found = context.app(app)
    wanted = cron.find(context.platform, found, job)
    kind = RunKind.CRON if detach else RunKind.RUN
    errand = cron.errand(context.platform, found, wanted, context.actor, kind)
    if detach:
        click.echo(f"{found.name}.{oneoff.leave(context.platform, found, errand).process}")
        return 0
    with terminal.handed_over(context.request, context.control) as streams:
        errand = with_term(context, errand) if streams.window else errand
        return oneoff.hold(context.platform, found, errand, streams)


@command(
    "cron:history",
    access=Access.VIEWER,
    examples=("cron:history shop", "cron:history shop 1f0c2a9b --format json"),
)
@click.argument("app")
@click.argument("job", required=False)
@listing
def cron_history(context: Context, app: str, job: str | None, style: str) -> None:
    """Show what came of the last runs, the newest first: of all jobs, or of one."""
    found = context.app(app)
    runs = [run for run in context.platform.store.runs.list(found.id, job) if run.job]
    if style == JSON:
        show_json([describe(found, run) for run in runs])
        return
    heading(f"Cron history of {app}")
    for run in runs:
        click.echo(f"{date(run.started_at)}  {run.job}  {run.process}  {_outcome(run)}")


@command(
    "cron:logs",
    access=Access.DEPLOYER,
    examples=("cron:logs shop 1f0c2a9b", "cron:logs shop cron.17 -n 20"),
)
@click.argument("app")
@click.argument("name", metavar="JOB|RUN")
@click.option("-t", "--tail", "follow", is_flag=True, help="Go on as lines are written.")
@click.option("-n", "--num", "lines", default="100", callback=number, help="How many; 100.")
@click.option("-q", "--quiet", "quiet", is_flag=True, help="No times.")
def cron_logs(  # noqa: PLR0913, PLR0917 - one per argument and option
    context: Context, app: str, name: str, follow: bool, lines: int, quiet: bool
) -> None:
    """Print what a job's last run wrote, or the run with this name from cron:history."""
    found = context.app(app)
    runs = context.platform.store.runs.list(found.id)
    chosen = [run for run in runs if run.kind is RunKind.CRON and name in {run.job, run.process}]
    if not chosen:
        raise NotFound(f"{app} has no run {clean(name)}", hint=f"See cron:history {app}")
    show_output(context, chosen[0], lines, follow=follow, quiet=quiet)


@command("cron:suspend", access=Access.DEPLOYER, examples=("cron:suspend shop 1f0c2a9b",))
@click.argument("app")
@click.argument("job")
def cron_suspend(context: Context, app: str, job: str) -> None:
    """Stop following a job's schedule; cron:run still works."""
    _suspend(context, app, job, is_on=True)


@command("cron:resume", access=Access.DEPLOYER, examples=("cron:resume shop 1f0c2a9b",))
@click.argument("app")
@click.argument("job")
def cron_resume(context: Context, app: str, job: str) -> None:
    """Follow a job's schedule again."""
    _suspend(context, app, job, is_on=False)


@command(
    "cron:set",
    access=Access.DEPLOYER,
    examples=(
        "cron:set shop maintenance true",
        "cron:set shop maintenance",
        "cron:set --global maintenance true",
    ),
)
@names_property("maintenance [true]")
def cron_set(context: Context, app: str | None, words: tuple[str, ...], is_global: bool) -> None:
    """Set `maintenance true` to follow no schedule of an app, or of any; no value clears it."""
    found, words = choose(context, app, words, is_global=is_global)
    key, value = key_and_value(words)
    if key != cron.MAINTENANCE or value not in {"", cron.ON, "false"}:
        raise UsageError("There is only one property", hint="As in: cron:set APP maintenance true")
    value = cron.ON if value == cron.ON else ""
    context.platform.store.properties.set(found.id if found else None, cron.TOPIC, key, value)
    whose = f"Schedules of {found.name}" if found else "Schedules"
    click.echo(f"{STEP}{whose} are {'not ' if value else ''}followed")


@command(
    "cron:report", access=Access.VIEWER, examples=("cron:report", "cron:report shop --format json")
)
@click.argument("app", required=False)
@report("cron", *KEYS)
def cron_report(context: Context, app: str | None, style: str, only: str | None) -> None:
    """Show how many jobs an app has, which failed last, and whether schedules are followed."""
    report_apps(context, "cron", app, lambda each: _report(context, each), style, only)


def _report(context: Context, app: App) -> dict[str, object]:
    store = context.platform.store
    jobs = store.cron.of(app.id)
    last = {job.id: _last(context, app, job) for job in jobs}
    failing = [job_id for job_id, run in last.items() if run and run.has_failed]
    own, of_all = (
        store.properties.get(whose, cron.TOPIC).get(cron.MAINTENANCE) == cron.ON
        for whose in (app.id, None)
    )
    return dict(zip(KEYS, (own, of_all, failing, len(jobs)), strict=True))


def _as_json(context: Context, app: App, job: CronJob) -> dict[str, object]:
    last = _last(context, app, job)
    is_suspended = cron.is_suspended(context.platform, job)
    return {
        "id": job.id,
        "app": app.name,
        "command": job.task.command,
        "schedule": job.task.schedule,
        "concurrency_policy": str(job.task.overlap),
        "maintenance": job.task.maintenance,
        "suspended": is_suspended,
        "from": "cron:add" if job.is_added else "app.json",
        "next": None if is_suspended else _next(job),
        "last": _outcome(last) if last else None,
    }


def _last(context: Context, app: App, job: CronJob) -> Run | None:
    return next(iter(context.platform.store.runs.list(app.id, job.id)), None)


def _next(job: CronJob) -> str | None:
    at = parse_schedule(job.task.schedule).next_after(time.time())
    return None if at is None else date(at)


def _outcome(run: Run) -> str:
    if run.finished_at is None:
        return f"running for {span(time.time() - run.started_at)}"
    if run.error:
        return clean(run.error)
    took = span(run.finished_at - run.started_at)
    return f"ok in {took}" if run.status == 0 else f"exit status {run.status} after {took}"


def _suspend(context: Context, app: str, job: str, *, is_on: bool) -> None:
    found = context.app(app)
    cron.suspend(context.platform, cron.find(context.platform, found, job), is_on=is_on)
    click.echo(f"{STEP}Job {job} of {app} is {'suspended' if is_on else 'followed again'}")


cron_add.click.context_settings = {"allow_interspersed_args": False}
