"""run and run:*: commands in fresh containers of an app's current release; enter."""

import re
import time
from collections import deque
from dataclasses import replace

import click

from paas import oneoff, terminal
from paas.commands.declare import Access, Context, command
from paas.commands.reports import JSON, date, heading, listing, number, show_json, span
from paas.commands.scope import meant
from paas.errors import NotFound, UsageError
from paas.model import App, ContainerRole, config_key
from paas.reporter import DETAIL, clean
from paas.tasks import Errand, Run, RunKind
from paas.verb import current_release

CONTAINER_ID = "--container-id"
NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)
environment = click.option("-e", "--env", "env", multiple=True, metavar="K=V", help="Set it there.")
ttl = click.option(
    "--ttl-seconds",
    "ttl",
    default=str(int(oneoff.DAY)),
    callback=number,
    help="End it then; 86400.",
)


@command(
    "run",
    access=Access.DEPLOYER,
    examples=(
        "run shop",
        "run shop python manage.py migrate",
        "run -e DEBUG=1 shop worker",
        "run shop pg_dump > dump.sql",
    ),
)
@environment
@click.option("--no-tty", is_flag=True, help="No terminal there, though there is one here.")
@ttl
@click.argument("app")
@click.argument("words", nargs=-1, metavar="[CMD...]", type=click.UNPROCESSED)
def run(  # noqa: PLR0913, PLR0917 - one per argument and option
    context: Context, app: str, words: tuple[str, ...], env: tuple[str, ...], no_tty: bool, ttl: int
) -> int:
    """Run a command in a fresh container of the current release; a shell if none is given.

    It has the app's image, config and walls. A name from the Procfile stands for its line. The
    container is removed when the command ends, or when you go; its exit status is passed on.
    """
    found = context.app(app)
    errand = _errand(context, found, words, env, ttl)
    with terminal.handed_over(context.request, context.control, no_tty=no_tty) as streams:
        if streams.window:
            errand = with_term(context, errand)
        return oneoff.hold(context.platform, found, errand, streams)


@command(
    "run:detached",
    access=Access.DEPLOYER,
    examples=("run:detached shop python manage.py reindex", "run:logs shop -t"),
)
@environment
@ttl
@click.argument("app")
@click.argument("words", nargs=-1, required=True, metavar="CMD...", type=click.UNPROCESSED)
def run_detached(
    context: Context, app: str, words: tuple[str, ...], env: tuple[str, ...], ttl: int
) -> None:
    """Start a command in a fresh container and leave it alone; print the container's name."""
    found = context.app(app)
    begun = oneoff.leave(context.platform, found, _errand(context, found, words, env, ttl))
    click.echo(f"{found.name}.{begun.process}")


@command(
    "run:list", access=Access.VIEWER, examples=("run:list shop", "run:list shop --format json")
)
@click.argument("app", required=False)
@listing
def run_list(context: Context, app: str | None, style: str) -> None:
    """List the one-off containers that run now: by hand, from cron, for debugging."""
    apps = meant(context, app)
    runs = [(each, run) for each in apps for run in context.platform.store.runs.open(each.id)]
    if style == JSON:
        show_json([describe(each, run) for each, run in runs])
        return
    heading("One-off containers")
    for each, run in runs:
        age = span(time.time() - run.started_at)
        name = f"{each.name}.{run.process}"
        click.echo(f"{name}  {age}  v{run.version}  {run.actor}  {clean(run.command)}")


@command(
    "run:logs",
    access=Access.DEPLOYER,
    examples=("run:logs shop", "run:logs shop -t", "run:logs --container shop.run.17 -n 20 -q"),
)
@click.argument("app", required=False)
@click.option("--container", metavar="NAME", help="Only this one: APP.run.N.")
@click.option("-t", "--tail", "follow", is_flag=True, help="Go on as lines are written.")
@click.option("-n", "--num", "lines", default="100", callback=number, help="How many; 100.")
@click.option("-q", "--quiet", "quiet", is_flag=True, help="No times.")
def run_logs(  # noqa: PLR0913, PLR0917 - one per argument and option
    context: Context,
    app: str | None,
    container: str | None,
    follow: bool,
    lines: int,
    quiet: bool,
) -> None:
    """Print what the newest detached command wrote, or a named one, also when it is over.

    What an attached command writes goes to who typed it, and is kept nowhere.
    """
    found, chosen = _choose(context, app, container)
    chosen = tuple(run for run in chosen if container or _is_detached(context, run))
    if not chosen:
        raise NotFound(f"{found.name} has no detached container", hint=f"See run:list {found.name}")
    show_output(context, chosen[0], lines, follow=follow, quiet=quiet)


@command(
    "run:stop",
    access=Access.DEPLOYER,
    examples=("run:stop shop", "run:stop --container shop.run.17"),
)
@click.argument("app", required=False)
@click.option("--container", metavar="NAME", help="Only this one: APP.run.N.")
def run_stop(context: Context, app: str | None, container: str | None) -> None:
    """End an app's one-off containers, or one of them: TERM, and KILL after 10 seconds."""
    found, chosen = _choose(context, app, container)
    context.control.outlive_client()
    for run in chosen:
        if run.finished_at is None:
            oneoff.stop(context.platform, run, f"it was stopped by {context.actor.name}")
            click.echo(f"{DETAIL}{found.name}.{run.process} is stopped")


@command(
    "enter",
    access=Access.DEPLOYER,
    examples=("enter shop", "enter shop worker.2", "enter shop web ls -l /tmp"),
)
@click.option(CONTAINER_ID, metavar="ID", help="A container of the app by its id or name.")
@click.argument("app")
@click.argument("words", nargs=-1, metavar="[PROCESS] [CMD...]", type=click.UNPROCESSED)
def enter(context: Context, app: str, words: tuple[str, ...], container_id: str | None) -> int:
    """Run a command, or a shell, in a process that runs, as its user and with its variables.

    Without a process it is web.1, else the first. It is ended when you go; the process runs on.
    """
    found = context.app(app)
    if words[:1] == (CONTAINER_ID,) and words[1:]:  # Dokku's place for it
        container_id, words = words[1], words[2:]
    target, argv = find_process(context, found, words, container_id)
    argv = _without_dashes(argv) or ("/bin/sh", "-c", oneoff.SHELL)
    with terminal.handed_over(context.request, context.control) as streams:
        environ = {"TERM": context.request.term or "dumb"} if streams.window else {}
        return context.platform.scheduler.exec(target, argv, streams, environ)


def find_process(
    context: Context, app: App, words: tuple[str, ...], container: str | None = None
) -> tuple[str, tuple[str, ...]]:
    """Return the id of the container that was meant, and the words behind it. Raises NotFound."""
    rows = context.platform.store.containers.of(app.id, ContainerRole.CURRENT)
    here = {row.process: row.id for row in rows if row.id}
    runs = context.platform.store.runs.open(app.id)
    here |= {run.process: run.container_id for run in runs if run.container_id}
    if container:
        chosen = [i for n, i in here.items() if container in {i, i[:12], n, f"{app.name}.{n}"}]
    elif words:
        chosen = [i for n, i in here.items() if words[0] in {n, n.rpartition(".")[0]}]
        words = words[1:]
    else:
        chosen = [here[name] for name in ("web.1", *here) if name in here]
    if not chosen:
        raise NotFound(
            f"{app.name} has no such process that runs",
            hint=f"There are: {' '.join(here) or 'none'}; see ps:report {app.name}",
        )
    return chosen[0], words


def show_output(context: Context, run: Run, lines: int, *, follow: bool, quiet: bool) -> None:
    """Print the last lines of a run; follow one that goes on."""
    runs, scheduler = context.platform.store.runs, context.platform.scheduler
    if run.finished_at is not None:
        stored = iter(runs.output(run).splitlines())
    elif follow:
        shown = scheduler.logs({run.container_id: run.process}, lines, follow=True)
        stored = (f"{oneoff.stamp(line.at)} {clean(line.text)}" for line in shown)
    else:
        stored = iter(oneoff.output_of(context.platform, run))
    for line in stored if follow else deque(stored, maxlen=lines):
        click.echo(line.partition(" ")[2] if quiet else line)


def describe(app: App, run: Run) -> dict[str, object]:
    """Return a run as JSON shows it."""
    over = "failed" if run.has_failed else "done"
    state = "running" if run.finished_at is None else over
    return {
        "name": f"{app.name}.{run.process}",
        "kind": str(run.kind),
        "state": state,
        "release": f"v{run.version}",
        "actor": run.actor,
        "started_at": date(run.started_at),
        "finished_at": None if run.finished_at is None else date(run.finished_at),
        "status": run.status,
        "error": run.error or None,
        "job": run.job or None,
        "command": run.command,
    }


def with_term(context: Context, errand: Errand) -> Errand:
    """Tell programs there what the terminal here can do: colours, say."""
    return replace(errand, env=(("TERM", context.request.term or "dumb"), *errand.env))


def _errand(
    context: Context, app: App, words: tuple[str, ...], env: tuple[str, ...], ttl: int
) -> Errand:
    if ttl == 0:
        raise UsageError("--ttl-seconds is 0", hint="Give a number of seconds")
    release = current_release(context.platform, app)
    line = oneoff.command_line(release, _without_dashes(words))
    return Errand(RunKind.RUN, line, context.actor.name, float(ttl), env=_variables(env))


def _without_dashes(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of a command, without the `--` that many type before it."""
    return words[1:] if words[:1] == ("--",) else words


def _variables(words: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    pairs = []
    for word in words:
        key, has_value, value = word.partition("=")
        if not has_value:
            raise UsageError(f"{clean(word)!r} is not K=V", hint="As in: run -e DEBUG=1 APP CMD")
        pairs.append((config_key(key), value))
    return tuple(pairs)


def _choose(
    context: Context, app: str | None, container: str | None
) -> tuple[App, tuple[Run, ...]]:
    """Return the app, and its runs that were meant, the newest first. Raises NotFound."""
    owner, _, name = (container or "").partition(".")
    if not (app or container) or (app and owner and app != owner):
        raise UsageError("Which app?", hint="Give APP, or --container APP.run.N")
    found = context.app(app or owner)
    if not container:
        return found, context.platform.store.runs.list(found.id)
    kind, _, digits = name.partition(".")
    identity = int(digits) if NUMBER.fullmatch(digits) else 0
    run = context.platform.store.runs.get(found.id, identity)
    if run.kind != kind:
        raise NotFound(f"There is no {clean(container)}", hint=f"See run:list {found.name}")
    return found, (run,)


def _is_detached(context: Context, run: Run) -> bool:
    """Whether it was started by run:detached, as far as that can be told."""
    has_output = run.finished_at is not None and bool(context.platform.store.runs.output(run))
    return run.kind is RunKind.RUN and (has_output or (run.pid is None and not run.finished_at))


for _each in (run, run_detached, enter):  # what follows the app is the command's own
    _each.click.context_settings = {"allow_interspersed_args": False}
