"""What an app's processes do now: what the database wants, seen with the engine's eyes."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from paas import health, liveness
from paas.model import App, Container, ContainerRole, EndKind, ProcessState
from paas.platform import Platform
from paas.schedulers.base import Observed
from paas.walls import recognise

LINES = 20  # of log in which a wall is looked for
CRASHED = "crashed"  # the status of a process that paas has given up
NEVER_STARTED = Observed("", "", ProcessState.MISSING)


@dataclass(frozen=True)
class Process:
    """One process. `status` is the engine's word for a current one, or "crashed"; else its role."""

    name: str  # "web.1"
    role: ContainerRole
    status: str
    release: str  # "v3"; "" when it never became one
    started_at: float  # seconds since the epoch; 0 when it never started
    restarts: int
    exit_code: int | None
    hints: tuple[str, ...] = ()  # why it does not run; walls it met, and what opens each


def describe_processes(platform: Platform, app: App) -> tuple[Process, ...]:
    """Return the app's processes, the current ones first. Raises EngineUnavailable."""
    order = [ContainerRole.CURRENT, ContainerRole.STARTING, ContainerRole.DRAINING]
    rows = [r for r in platform.store.containers.of(app.id) if r.id or r.role is order[0]]
    rows.sort(key=lambda row: order.index(row.role))
    return tuple(_describe(platform, app, row) for row in rows)


def is_running(process: Process) -> bool:
    """Whether it serves now."""
    return process.status == ProcessState.RUNNING


def _describe(platform: Platform, app: App, row: Container) -> Process:
    observed = platform.scheduler.inspect(row.id) if row.id else NEVER_STARTED
    is_current = row.role is ContainerRole.CURRENT
    state = CRASHED if row.is_parked else observed.state
    return Process(
        name=row.process,
        role=row.role,
        status=str(state if is_current else row.role),
        release=_release(platform, app, row),
        started_at=observed.started_at,
        restarts=max(observed.restarts, _restarts(platform, row, observed))
        + liveness.restarts_of(platform, row),
        exit_code=observed.exit_code,
        hints=tuple(_hints(platform, app, row, observed)) if is_current else (),
    )


def _restarts(platform: Platform, row: Container, observed: Observed) -> int:
    """Count those after crashes of the last ten minutes: the engine knows only of its own."""
    ends = platform.store.recovery.ends(row, time.time())
    crashes = sum(end.kind is EndKind.CRASH for end in ends)
    return crashes - bool(crashes and observed.exit_code is not None)


def _release(platform: Platform, app: App, row: Container) -> str:
    """Name the release it runs. A current process runs the current one, whoever started it."""
    is_current = row.role is ContainerRole.CURRENT
    version = app.version if is_current else platform.store.deploys.get(row.deploy_id).version
    return f"v{version}" if version else ""


def _hints(platform: Platform, app: App, row: Container, observed: Observed) -> Iterator[str]:
    if row.trouble:
        yield row.trouble
    yield from _walls(platform, app, row, observed)


def _walls(platform: Platform, app: App, row: Container, observed: Observed) -> Iterator[str]:
    if observed.oom_killed:
        limit = observed.memory
        hint = health.more_memory(app, row.process_type, limit)
        yield f"It was {health.out_of_memory(limit)}. {hint}"
    elif wall := recognise(platform.scheduler.tail(observed.id, LINES), app.name, row.process_type):
        yield str(wall)
