"""The processes of a release: how they are started, how old ones make room, how they go."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from paas import (
    checks,
    formation,
    gitset,
    health,
    host_paths,
    kept_logs,
    networks,
    resources,
    routing,
    storage,
    vhosts,
)
from paas.attempt import Attempt
from paas.errors import ProxyUnavailable, StartFailed
from paas.formation import Slot, Strategy
from paas.look import LENIENT, look_at
from paas.manifest import Check, Manifest
from paas.model import (
    App,
    Candidate,
    Container,
    ContainerRole,
    Deploy,
    ProcessState,
    ProcessType,
    Release,
)
from paas.platform import Platform
from paas.routing import WEB
from paas.schedulers.base import ProcessSpec


@dataclass(frozen=True)
class Blueprint:
    """What processes are made from: a release, or a candidate that may become one."""

    image: str
    processes: tuple[ProcessType, ...]
    config: Mapping[str, str]
    port: int
    volumes: tuple[str, ...] = ()
    manifest: Manifest = field(default_factory=Manifest)
    commit: str | None = None


def blueprint(of: Candidate | Release) -> Blueprint:
    """Return the blueprint of a candidate or of a release."""
    image, volumes = (
        (of.image.id, of.image.volumes) if isinstance(of, Candidate) else (of.image, of.volumes)
    )
    return Blueprint(image, of.processes, of.config, of.port, volumes, of.manifest, of.commit)


def wanted(platform: Platform, app: App, plan: Blueprint) -> tuple[Slot, ...]:
    """Return the processes that should run of a blueprint, in the order in which they start."""
    scaled = platform.store.formation.get(app.id)
    return formation.slots(formation.quantities(plan.processes, plan.manifest, scaled))


def bring_up(
    attempt: Attempt, plan: Blueprint, slots: Sequence[Slot], kept: Sequence[Container] = ()
) -> tuple[Container, ...]:
    """Start these processes and wait until all are healthy. Raises StartFailed.

    `kept` are current processes that stay. The first process, of web if there is one, goes ahead:
    if it fails, the others were never started. Types that are recreated come last, and only then
    their current processes are stopped; bring_back() starts those again after a failure.
    """
    platform, app = attempt.platform, attempt.app
    if not slots and kept:
        return ()
    names = " ".join(f"{name}.{slot}" for name, slot in slots) or "nothing: all are scaled to 0"
    alone = {
        name
        for name in {name for name, _ in slots}
        if formation.strategy(platform, app, name) is Strategy.RECREATE
    }
    with attempt.reporter.step(f"Starting {names}", name="start"):
        platform.scheduler.create_network(app)
        started = _start_all(attempt, plan, [slot for slot in slots if slot[0] not in alone])
        if alone:
            _make_room(attempt, alone, kept)
            started += _start_all(attempt, plan, [slot for slot in slots if slot[0] in alone])
    return started


def bring_back(platform: Platform, app: App) -> None:
    """Start again what made room for processes that failed; nothing to do for rolling types.

    Requests are led to web processes once these answer. Raises StartFailed, Unavailable; the
    reconciler tries again.
    """
    release = platform.store.releases.current(app.id)
    rows = platform.store.containers.of(app.id, ContainerRole.CURRENT)
    gone = [
        row
        for row in rows
        if formation.strategy(platform, app, row.process_type) is Strategy.RECREATE
        and platform.scheduler.inspect(row.id).state is not ProcessState.RUNNING
    ]
    if release and gone:
        back = [revive(platform, app, row, release) for row in gone]
        with suppress(StartFailed):  # still_live() says so
            for row in back:
                if row.process_type == WEB and not checks.are_off(platform, app, WEB):
                    wanted = checks.startup_checks(platform, app, release.manifest, WEB)
                    _wait_healthy(platform, app, row, wanted)
        routing.restore(platform, app)


def still_live(platform: Platform, app: App) -> str:
    """Return one sentence on what serves the app now, after a deploy that failed."""
    now = platform.store.apps.by_id(app.id)
    url = next(iter(routing.urls_of(platform, now)), app.name)
    if now.version is None or not routing.routes_of(platform, now):
        return f"Nothing is live at {url}"
    if not _answers(platform, now):
        return f"v{now.version} was started again, but does not answer yet: ps:report {app.name}"
    return f"v{now.version} is still serving {url}"


def _answers(platform: Platform, app: App) -> bool:
    """Whether web processes answer that made room; those of rolling types never stopped."""
    if formation.strategy(platform, app, WEB) is not Strategy.RECREATE:
        return True
    host = vhosts.host_of(platform, app)
    rows = platform.store.containers.of(app.id, ContainerRole.CURRENT)
    web = [row for row in rows if row.process_type == WEB]
    return all(look_at(row.address, row.port, host, LENIENT).status for row in web)


def revive(platform: Platform, app: App, row: Container, release: Release) -> Container:
    """Start a process of the current release again, in its place and at its address."""
    plan = blueprint(release)
    platform.scheduler.create_network(app)
    container_id = platform.scheduler.start(spec_of(platform, app, plan, row))
    revived = platform.store.containers.started(row, container_id)
    platform.scheduler.keep([revived.id])
    return revived


def remove(platform: Platform, rows: Sequence[Container], timeout: float) -> None:
    """Stop and remove containers, then forget their rows; their logs are kept."""
    stop(platform, rows, timeout)
    for row in rows:
        platform.store.containers.forget(row)


def stop(platform: Platform, rows: Sequence[Container], timeout: float) -> None:
    """Stop and remove containers; their logs are kept."""
    keep = kept_logs.keeper(platform, rows)
    platform.scheduler.stop([row.id for row in rows if row.id], timeout, keep)
    for app_id in {row.app_id for row in rows}:
        kept_logs.trim(platform, app_id)


def remove_started(platform: Platform, deploy: Deploy) -> None:
    """Remove what a deploy started and did not make current.

    A container whose id a crash kept from being stored is found by the deploy in its name.
    """
    rows = platform.store.containers.of(deploy.app_id, ContainerRole.STARTING)
    remove(platform, [row for row in rows if row.deploy_id == deploy.id], timeout=1)
    known = {row.id for row in platform.store.containers.of(deploy.app_id)}
    made = [c.id for c in platform.scheduler.containers() if deploy_of(c.name) == deploy.id]
    platform.scheduler.stop([id_ for id_ in made if id_ not in known], timeout=1)


def deploy_of(container_name: str) -> int | None:
    """Return the deploy that made a container (see schedulers.base.process_name)."""
    last = container_name.rpartition(".")[2]
    return int(last) if last.isascii() and last.isdigit() else None


def command_of(plan: Blueprint, name: str) -> str | None:
    """Return the command of a process type; None: the image's own, or no such type."""
    return next((p.command for p in plan.processes if p.name == name), None)


def spec_of(
    platform: Platform, app: App, plan: Blueprint, row: Container, command: str | None = None
) -> ProcessSpec:
    """Return what the scheduler needs for one process; `command` is that of a one-off container."""
    return ProcessSpec(
        app=app,
        deploy_id=row.deploy_id,
        process_type=row.process_type,
        slot=row.slot,
        image=plan.image,
        command=command or command_of(plan, row.process_type),
        config={**gitset.revision_variable(platform, app, plan.commit), **plan.config},
        port=row.port,
        address=row.address,
        options=platform.store.security.get(app.id),
        volumes=plan.volumes,
        resources=resources.of_process(platform, app, row.process_type),
        mounts=storage.of_process(platform, app, row.process_type),
        host_mounts=host_paths.of_process(platform, app, row.process_type),
        links=networks.links_of(platform, app, row, is_one_off=command is not None),
        log_megabytes=kept_logs.megabytes(platform, app.id, "max-size"),
    )


def _start_all(attempt: Attempt, plan: Blueprint, slots: Sequence[Slot]) -> tuple[Container, ...]:
    """Start the first and wait for it, then the rest together."""
    first = [_start(attempt, plan, *slot) for slot in slots[:1]]
    _wait(attempt, plan, first)
    rest = [_start(attempt, plan, *slot) for slot in slots[1:]]
    _wait(attempt, plan, rest)
    return (*first, *rest)


def _start(attempt: Attempt, plan: Blueprint, name: str, slot: int) -> Container:
    platform, app = attempt.platform, attempt.app
    row = platform.store.containers.reserve(app, attempt.deploy.id, name, slot, plan.port)
    return platform.store.containers.started(
        row, platform.scheduler.start(spec_of(platform, app, plan, row))
    )


def _make_room(attempt: Attempt, names: set[str], kept: Sequence[Container]) -> None:
    """Stop the current processes of these types. Their rows stay CURRENT: a crash revives them."""
    platform, app = attempt.platform, attempt.app
    current = platform.store.containers.of(app.id, ContainerRole.CURRENT)
    old = [row for row in current if row.process_type in names and row not in kept]
    if not old:
        return
    attempt.reporter.detail(f"Stopping {' '.join(row.process for row in old)} first (recreate)")
    if any(row.process_type == WEB for row in old):
        with suppress(ProxyUnavailable):  # requests then wait for an address that does not answer
            platform.proxy.switch(app.name, ())
    stop(platform, old, formation.stop_timeout(platform, app.id))


def _wait(attempt: Attempt, plan: Blueprint, rows: Sequence[Container]) -> None:
    platform, app, reporter = attempt.platform, attempt.app, attempt.reporter
    for row in rows:
        if checks.are_off(platform, app, row.process_type):
            health.Process(platform.scheduler, row, app).check_alive()
            reporter.detail(f"{row.process} started; its checks are off")
            continue
        wanted_checks = checks.startup_checks(platform, app, plan.manifest, row.process_type)
        if row.process_type == WEB:
            took = _wait_healthy(platform, app, row, wanted_checks)
            reporter.detail(f"{row.process} healthy after {took:.1f} s")
        else:
            health.wait_up(platform.scheduler, row, app, checks.uptime(wanted_checks))
            reporter.detail(f"{row.process} up")


def _wait_healthy(platform: Platform, app: App, row: Container, wanted: Sequence[Check]) -> float:
    host, limit = vhosts.host_of(platform, app), checks.startup_timeout(platform, app)
    took = sum(
        health.wait(platform.scheduler, row, app, host, limit, check)
        for check in wanted
        if not check.uptime
    )
    health.wait_up(platform.scheduler, row, app, max((c.uptime for c in wanted), default=0.0))
    return took
