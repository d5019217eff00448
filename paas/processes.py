"""What an app's processes do now: what the database wants, seen with the engine's eyes."""

from collections.abc import Iterator
from dataclasses import dataclass

from paas.model import App, Container, ContainerRole, ProcessState
from paas.platform import Platform
from paas.schedulers.base import Observed
from paas.settings import MB
from paas.walls import recognise

LINES = 20  # of log in which a wall is looked for


@dataclass(frozen=True)
class Process:
    """One process. `status` is the engine's word for a current one, else its role."""

    name: str  # "web.1"
    role: ContainerRole
    status: str
    release: str  # "v3"; "" when it never became one
    started_at: float  # seconds since the epoch; 0 when it never started
    restarts: int
    exit_code: int | None
    hints: tuple[str, ...] = ()  # walls it met, and the command that opens each


def describe_processes(platform: Platform, app: App) -> tuple[Process, ...]:
    """Return the app's processes, the current ones first. Raises EngineUnavailable."""
    order = [ContainerRole.CURRENT, ContainerRole.STARTING, ContainerRole.DRAINING]
    rows = [row for row in platform.store.containers.of(app.id) if row.id]
    rows.sort(key=lambda row: order.index(row.role))
    return tuple(_describe(platform, app, row) for row in rows)


def is_running(process: Process) -> bool:
    """Whether it serves now."""
    return process.status == ProcessState.RUNNING


def _describe(platform: Platform, app: App, row: Container) -> Process:
    observed = platform.scheduler.inspect(row.id)
    is_current = row.role is ContainerRole.CURRENT
    return Process(
        name=row.process,
        role=row.role,
        status=str(observed.state if is_current else row.role),
        release=_release(platform, app, row),
        started_at=observed.started_at,
        restarts=observed.restarts,
        exit_code=observed.exit_code,
        hints=tuple(_walls(platform, app, observed)) if is_current else (),
    )


def _release(platform: Platform, app: App, row: Container) -> str:
    """Name the release it runs. A current process runs the current one, whoever started it."""
    is_current = row.role is ContainerRole.CURRENT
    version = app.version if is_current else platform.store.deploys.get(row.deploy_id).version
    return f"v{version}" if version else ""


def _walls(platform: Platform, app: App, observed: Observed) -> Iterator[str]:
    if observed.oom_killed:
        limit = observed.memory // MB
        yield (
            f"It was out of memory (limit {limit} MB). "
            f"Try: security:set {app.name} memory {limit * 2}m"
        )
    elif wall := recognise(platform.scheduler.tail(observed.id, LINES), app.name):
        yield str(wall)
