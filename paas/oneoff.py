"""One-off containers: begun, held by a person or left alone, and ended, with what came of them.

Each has a row from before it starts until after it is gone. Who holds one ends it; what a process
that died has held, and what was left alone, is ended by the background process (collect).
"""

import logging
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from paas import fleet, health, workers
from paas.errors import CommandEnded, NotFound, PaasError, Unavailable
from paas.model import App, Container, ContainerRole, ProcessState, Release
from paas.platform import Platform
from paas.reporter import clean
from paas.schedulers.base import Beside, Exit, Observed, ProcessSpec, Streams, process_name
from paas.tasks import Errand, Run
from paas.verb import current_release
from paas.workers import shielded

DAY = 86400.0  # seconds that a one-off container may run, unless somebody says otherwise
NO_DEPLOY = 0  # in a container's name: no deploy has this number, so no process is called so
STOP = 10.0  # seconds between TERM and KILL
LANE = "runs"
LIMIT = 120.0  # seconds for one collect()
OUTPUT_LINES, OUTPUT_BYTES = 2000, 256 * 1024  # kept of one that nobody watched
SHELL = "if command -v bash >/dev/null; then exec bash; fi; exec sh"
OVER = {ProcessState.EXITED, ProcessState.MISSING}
log = logging.getLogger("paas")


def command_line(release: Release, words: Sequence[str]) -> str:
    """Return the shell line of what was typed: nothing is a shell, one word may be a whole line.

    A first word that names a line of the Procfile stands for that line; more words follow it.
    """
    if not words:
        return SHELL
    named = fleet.command_of(fleet.blueprint(release), words[0])
    if named:
        return " ".join([named, *map(shlex.quote, words[1:])])
    return words[0] if len(words) == 1 else shlex.join(words)


def hold(
    platform: Platform, app: App, errand: Errand, streams: Streams, beside: Beside | None = None
) -> int:
    """Run it to its end with these streams; return its exit status. Nothing is left of it.

    Raises NotFound before the first push, Conflict when too many run, StartFailed; CommandEnded,
    with its exit status, when it was not its own end.
    """
    release = current_release(platform, app)
    runs = platform.store.runs
    run = runs.begin(app, errand, release.version, has_address=beside is None)
    ended, why = None, "it was interrupted"
    try:
        spec = _spec(platform, app, release, errand, run)
        ended = platform.scheduler.attach(
            spec, streams, lambda container_id: runs.started(run, container_id), beside
        )
        why = _out_of_memory(ended)
    except PaasError as failure:
        why = failure.message
        raise
    finally:
        with shielded():
            why = runs.end(run, ended.status if ended else None, why)
    if why:
        hint = health.more_memory(app, run.kind, ended.memory) if _out_of_memory(ended) else ""
        raise CommandEnded(f"The command was ended: {why}", ended.status, hint=hint)
    return ended.status


def leave(
    platform: Platform,
    app: App,
    errand: Errand,
    before: Callable[[Run], None] = lambda _: None,
) -> Run:
    """Start it and let it run on by itself. `before` is called once its place is taken.

    Raises what hold() raises.
    """
    release = current_release(platform, app)
    runs = platform.store.runs
    run = runs.begin(app, errand, release.version, has_address=True)
    try:
        before(run)
        container_id = platform.scheduler.start(_spec(platform, app, release, errand, run))
    except PaasError as failure:
        runs.end(run, None, failure.message)
        raise
    try:
        return runs.started(run, container_id, alone=True)
    except NotFound as failure:  # somebody ended it before
        platform.scheduler.stop([container_id], timeout=1)
        runs.end(run, None, failure.message)
        raise


def stop(platform: Platform, run: Run, why: str) -> None:
    """End it: TERM, KILL after a moment. Who holds it sees its end, and is told why."""
    platform.store.runs.explain(run, why)
    if run.container_id:
        try:
            platform.scheduler.park(run.container_id, STOP)
        except PaasError:
            platform.store.runs.spare(run)
            raise
    if run.pid is None:
        _close(platform, run, platform.scheduler.inspect(run.container_id), why)


def needs_hand(platform: Platform, now: float) -> bool:
    """Whether collect() may have something to do: a cheap look."""
    return any(
        run.pid is None or now >= run.due or not _is_held(run) for run in platform.store.runs.open()
    )


def collect(platform: Platform, now: float) -> None:
    """End what is over, what is over its time, and what nobody holds any more."""
    for run in platform.store.runs.open():
        try:
            _look_after(platform, run, now)
        except Unavailable:
            raise
        except PaasError as error:
            log.warning("%s of app %d: %s", run.process, run.app_id, error.message)


def container_names(platform: Platform) -> frozenset[str]:
    """Return the names of the containers that are wanted."""
    names = {app.id: app.name for app in platform.store.apps.list()}
    return frozenset(
        process_name(platform.settings.instance, names[run.app_id], run.kind, run.id, NO_DEPLOY)
        for run in platform.store.runs.open()
        if run.app_id in names
    )


def output_of(platform: Platform, run: Run) -> tuple[str, ...]:
    """Return the last lines of one that runs alone, each with its time in front."""
    with suppress(Unavailable):  # the log of one that somebody holds is nowhere
        lines = platform.scheduler.logs({run.container_id: run.process}, OUTPUT_LINES, follow=False)
        return tuple(f"{stamp(line.at)} {clean(line.text)}" for line in lines)
    return ()


def stamp(at: float) -> str:
    """Return a time as logs show it: RFC 3339 in UTC with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1000) % 1000:03}Z"


def _spec(platform: Platform, app: App, release: Release, errand: Errand, run: Run) -> ProcessSpec:
    """Return what starts it: as a process of the release, with the errand's variables on top."""
    plan = fleet.blueprint(release)
    row = Container(
        id="",
        app_id=app.id,
        deploy_id=NO_DEPLOY,
        process_type=run.kind,
        slot=run.id,
        address=run.address or str(platform.settings.subnet(app.network_index)[1]),
        port=plan.port,
        role=ContainerRole.STARTING,
        created_at=run.started_at,
    )
    spec = fleet.spec_of(platform, app, plan, row, errand.command)
    return replace(spec, config={**spec.config, **dict(errand.env)})


def _look_after(platform: Platform, run: Run, now: float) -> None:
    if not _is_held(run):
        _abandon(platform, run)
    elif now >= run.due:
        stop(platform, run, _late(run))
    elif run.pid is None:
        seen = platform.scheduler.inspect(run.container_id)
        if seen.state in OVER:
            _close(platform, run, seen, "")


def _is_held(run: Run) -> bool:
    """Whether it runs alone, or the process that holds it lives."""
    return run.pid is None or workers.is_alive(run.pid, run.pid_started)


def _abandon(platform: Platform, run: Run) -> None:
    """End what the process that held it has left behind; its id may not have been stored."""
    end = f".{run.kind}.{run.id}.{NO_DEPLOY}"
    left = [c.id for c in platform.scheduler.containers() if c.name.endswith(end)]
    platform.scheduler.stop(left, timeout=1)
    platform.store.runs.end(run, None, "the process that held it has died")


def _close(platform: Platform, run: Run, seen: Observed, error: str) -> None:
    """Keep what came of it, then remove the container. Idempotent."""
    ended = Exit(seen.exit_code or 0, seen.memory if seen.oom_killed else 0)
    if seen.state is ProcessState.MISSING:
        error = error or "its container was removed"
    output = "\n".join(output_of(platform, run))[-OUTPUT_BYTES:]
    platform.store.runs.end(run, seen.exit_code, error or _out_of_memory(ended), output)
    platform.scheduler.stop([run.container_id], timeout=1)


def _out_of_memory(ended: Exit) -> str:
    """Say that this is why it ended, "" if not."""
    return f"it was {health.out_of_memory(ended.memory)}" if ended.ran_out_of_memory else ""


def _late(run: Run) -> str:
    return f"it did not end within {run.due - run.started_at:.0f} s"
