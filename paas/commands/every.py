"""Verbs that take `[--all|APP]` and `--parallel N`."""

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from tempfile import TemporaryFile
from typing import IO, Any, TextIO, TypeVar

import click

from paas.commands.declare import Context
from paas.crew import Crew, Job
from paas.errors import PaasError, UsageError
from paas.model import App
from paas.reporter import MILESTONE
from paas.show import show_error

MOST = 16
LANE, LIMIT, POLL = "apps", 7200.0, 0.02
Function = TypeVar("Function", bound=Callable[..., Any])
Work = Callable[[App], object]


def for_every(function: Function) -> Function:
    """Give a command the argument APP, which --all takes the place of."""
    app = click.argument("app", required=False)
    return app(click.option("--all", "is_all", is_flag=True, help="All apps.")(function))


def _parallel(_context: click.Context, _param: click.Parameter, text: str) -> int:
    """Parse -1 (one per processor) or 1 to 16 (a callback)."""
    if text == "-1":
        return min(os.cpu_count() or 1, MOST)
    if text not in set(map(str, range(1, MOST + 1))):
        raise click.BadParameter(f"{text!r} is neither -1 nor 1 to {MOST}")
    return int(text)


at_once = click.option(
    "--parallel", default="1", callback=_parallel, help="Apps at a time; -1: one per processor."
)


def every_app(
    context: Context, app: str | None, work: Work, *, is_all: bool, parallel: int = 1
) -> int:
    """Do it for the app, or with `is_all` for each app; return 1 if it failed for one of them.

    One that fails stops no other. Raises UsageError without either, and what `work` raises for the
    one app.
    """
    if bool(app) == is_all:
        raise UsageError("Name one app, or give --all", hint="Not both, and not neither.")
    if app:
        work(context.app(app))
        return 0
    apps = context.apps()
    if parallel == 1:
        return max([_do(work, each) for each in apps], default=0)
    return _do_together(work, apps, parallel)


def _do(work: Work, app: App) -> int:
    """Do it and show what went wrong; return the status."""
    click.echo(f"{MILESTONE}{app.name}")
    try:
        work(app)
    except PaasError as error:
        if not error.shown:
            show_error(error)
        return 1
    return 0


def _do_together(work: Work, apps: Sequence[App], parallel: int) -> int:
    """Do it in children, so many at a time; each one's output is shown when it has ended."""
    statuses: list[int] = []
    crew = Crew({LANE: parallel})
    try:
        for app in apps:
            crew.submit(_job(work, app, statuses))
        while crew.busy():
            crew.look()
            time.sleep(POLL)
    finally:
        crew.stop()
    return int(any(statuses) or len(statuses) < len(apps))


def _job(work: Work, app: App, statuses: list[int]) -> Job:
    out, err = TemporaryFile("w+"), TemporaryFile("w+")  # noqa: SIM115 - closed in show()

    def run() -> int:
        with redirect_stdout(out), redirect_stderr(err):
            status = _do(work, app)
        out.flush()
        err.flush()
        return status

    def show(status: int) -> None:
        statuses.append(status)
        for file, stream in ((out, sys.stdout), (err, sys.stderr)):
            _pass_on(file, stream)

    return Job(app.name, LANE, LIMIT, run, show)


def _pass_on(file: IO[str], stream: TextIO) -> None:
    with file:
        file.seek(0)
        stream.write(file.read())
        stream.flush()
