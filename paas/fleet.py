"""The processes of a release: which there should be, how they are started, how they are removed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paas import health
from paas.attempt import Attempt
from paas.errors import StartFailed
from paas.model import App, Candidate, Container, ContainerRole, Deploy, ProcessType, Release
from paas.platform import Platform
from paas.routing import WEB, domains_of
from paas.schedulers.base import ProcessSpec

RELEASE = "release"


@dataclass(frozen=True)
class Blueprint:
    """What processes are made from: a release, or a candidate that may become one."""

    image: str
    processes: tuple[ProcessType, ...]
    config: Mapping[str, str]
    port: int
    volumes: tuple[str, ...] = ()


def blueprint(of: Candidate | Release) -> Blueprint:
    """Return the blueprint of a candidate or of a release."""
    if isinstance(of, Candidate):
        return Blueprint(of.image.id, of.processes, of.config, of.port, of.image.volumes)
    return Blueprint(of.image, of.processes, of.config, of.port, of.volumes)


def wanted(platform: Platform, app: App, processes: Sequence[ProcessType]) -> dict[str, int]:
    """Return {process type: quantity}, web first.

    Unless it was scaled, web runs once and the rest not at all, as on Heroku; an app without web
    runs each of its types once.
    """
    scaled = platform.store.formation.get(app.id)
    names = sorted((p.name for p in processes if p.name != RELEASE), key=lambda name: name != WEB)
    first = {WEB} if WEB in names else set(names)
    return {name: scaled.get(name, int(name in first)) for name in names}


def bring_up(attempt: Attempt, plan: Blueprint) -> tuple[Container, ...]:
    """Start every wanted process and wait until all are healthy. Raises StartFailed.

    The first web process goes ahead: if it fails, the others were never started.
    """
    wants = wanted(attempt.platform, attempt.app, plan.processes)
    slots = [(name, slot) for name, count in wants.items() for slot in range(1, count + 1)]
    names = " ".join(f"{name}.{slot}" for name, slot in slots) or "nothing: all are scaled to 0"
    with attempt.reporter.step(f"Starting {names}", name="start"):
        attempt.platform.scheduler.create_network(attempt.app)
        first = [_start(attempt, plan, *slots[0])] if slots else []
        _wait(attempt, first)
        rest = [_start(attempt, plan, name, slot) for name, slot in slots[1:]]
        _wait(attempt, rest)
    return (*first, *rest)


def run_release_command(attempt: Attempt, plan: Blueprint) -> None:
    """Run the `release:` line of the Procfile in a one-off container, if there is one.

    Raises StartFailed when it exits with another status than 0.
    """
    command = _command(plan, RELEASE)
    if command is None:
        return
    platform, reporter = attempt.platform, attempt.reporter
    platform.scheduler.create_network(attempt.app)
    row = platform.store.containers.reserve(attempt.app, attempt.deploy.id, RELEASE, 1, plan.port)
    with reporter.step(f"Release command: {command}", name="release"):
        status = platform.scheduler.run_once(
            _spec(platform, attempt.app, plan, row),
            lambda data: reporter.tool(data.decode(errors="replace")),
            timeout=platform.settings.release_timeout,
        )
    platform.store.containers.forget(row)
    if status:
        raise StartFailed(
            f"The release command exited with code {status}",
            details=reporter.tail(),
            hint="Nothing was released. Mend the command, or what it needs, and push again.",
        )


def revive(platform: Platform, app: App, row: Container, release: Release) -> Container:
    """Start a process of the current release again, in its place and at its address."""
    plan = blueprint(release)
    platform.scheduler.create_network(app)
    container_id = platform.scheduler.start(_spec(platform, app, plan, row))
    revived = platform.store.containers.started(row, container_id)
    platform.scheduler.keep([revived.id])
    return revived


def remove(platform: Platform, rows: Sequence[Container], timeout: float) -> None:
    """Stop and remove containers, then forget their rows."""
    platform.scheduler.stop([row.id for row in rows if row.id], timeout)
    for row in rows:
        platform.store.containers.forget(row)


def remove_started(platform: Platform, deploy: Deploy) -> None:
    """Remove what a deploy started and did not make current."""
    rows = platform.store.containers.of(deploy.app_id, ContainerRole.STARTING)
    remove(platform, [row for row in rows if row.deploy_id == deploy.id], timeout=1)


def _start(attempt: Attempt, plan: Blueprint, name: str, slot: int) -> Container:
    platform, app = attempt.platform, attempt.app
    row = platform.store.containers.reserve(app, attempt.deploy.id, name, slot, plan.port)
    return platform.store.containers.started(
        row, platform.scheduler.start(_spec(platform, app, plan, row))
    )


def _command(plan: Blueprint, name: str) -> str | None:
    return next((p.command for p in plan.processes if p.name == name), None)


def _spec(platform: Platform, app: App, plan: Blueprint, row: Container) -> ProcessSpec:
    return ProcessSpec(
        app=app,
        deploy_id=row.deploy_id,
        process_type=row.process_type,
        slot=row.slot,
        image=plan.image,
        command=_command(plan, row.process_type),
        config=plan.config,
        port=row.port,
        address=row.address,
        options=platform.store.security.get(app.id),
        volumes=plan.volumes,
    )


def _wait(attempt: Attempt, rows: Sequence[Container]) -> None:
    platform, app, reporter = attempt.platform, attempt.app, attempt.reporter
    host = domains_of(platform, app)[0]
    for row in rows:
        if row.process_type == WEB:
            timeout = platform.settings.health_timeout
            took = health.wait(platform.scheduler, row, app, host, timeout)
            reporter.detail(f"{row.process} healthy after {took:.1f} s")
        else:
            health.wait_up(platform.scheduler, row, app)
            reporter.detail(f"{row.process} up")
