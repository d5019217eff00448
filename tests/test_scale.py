"""Scaling, strategies and partial restarts: only what changed is touched, on failure nothing."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from paas import formation, operate
from paas.errors import (
    Conflict,
    InvalidName,
    NotFound,
    ProxyUnavailable,
    StartFailed,
    UsageError,
)
from paas.model import Container, ContainerRole, DeployState
from paas.proxies.base import Route
from paas.schedulers.base import ProcessSpec
from tests.fakes.engine import Program, Running, serve
from tests.world import ANNA, CRASHES, World, make_world

TWO = "web: serve\nworker: work"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[World]:
    """Have an app `shop` with web.1, and a worker that is not scaled."""
    with make_world(tmp_path) as world:
        world.scheduler.programs["work"] = Program(status=None)
        assert world.push(procfile=TWO) == "ok"
        yield world


def running(world: World) -> dict[str, Container]:
    rows = world.store.containers.of(world.app().id, ContainerRole.CURRENT)
    return {row.process: row for row in rows}


def scale(world: World, **quantities: int) -> bool:
    return operate.scale(world.platform, world.app(), ANNA, quantities, only_store=False)


def test_scaling_up_starts_only_what_is_missing(live: World) -> None:
    [web] = running(live).values()
    started = len(live.scheduler.started)
    assert scale(live, web=2, worker=1)
    now = running(live)
    assert list(now) == ["web.1", "web.2", "worker.1"]
    assert now["web.1"] == web
    assert len(live.scheduler.started) - started == 2
    assert live.app().version == 1
    assert all(live.scheduler.running[row.id].kept for row in now.values())


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_few_webs_share_all_requests_evenly(live: World, count: int) -> None:
    scale(live, web=count)
    upstreams = live.proxy.sites["shop"].upstreams
    routes = [route for route in live.proxy.routes["shop"] if route.service in upstreams]
    shares = Counter(route.address for route in routes)
    assert len(routes) == len(upstreams)
    assert set(shares) == {row.address for row in running(live).values()}
    assert len(set(shares.values())) == 1


def test_many_webs_share_them_nearly_evenly(live: World) -> None:
    scale(live, web=7)
    shares = Counter(route.address for route in live.proxy.routes["shop"])
    assert sorted(shares.values()) == [4, 4, 4, 4, 4, 5, 5]


def test_a_few_webs_are_scaled_without_touching_nginx(live: World) -> None:
    reloads = live.proxy.reloads
    for count in (2, 4, 1, 3):
        scale(live, web=count)
    assert live.proxy.reloads == reloads


def test_scaling_down_drains_only_what_is_removed(live: World) -> None:
    scale(live, web=3)
    before = running(live)
    scale(live, web=2)
    assert running(live) == {name: before[name] for name in ("web.1", "web.2")}
    rows = live.store.containers.of(live.app().id, ContainerRole.DRAINING)
    assert [row.id for row in rows] == [before["web.3"].id]
    assert before["web.3"].id in live.scheduler.running


def test_an_old_worker_of_nginx_reaches_the_app_by_an_address_that_nginx_forgot(
    live: World,
) -> None:
    scale(live, web=5)
    known = set(live.proxy.sites["shop"].upstreams)
    scale(live, web=4)
    assert known - set(live.proxy.sites["shop"].upstreams)
    assert known == {route.service for route in live.proxy.routes["shop"]}
    assert {r.address for r in live.proxy.routes["shop"]} == {
        row.address for row in running(live).values()
    }


def test_a_process_that_does_not_start_leaves_scale_and_processes(live: World) -> None:
    live.scheduler.programs["work"] = Program(exit_code=1)
    before, formation_before = live.visible(), live.store.formation.get(live.app().id)
    with pytest.raises(StartFailed):
        scale(live, web=2, worker=1)
    assert live.visible() == before
    assert live.store.formation.get(live.app().id) == formation_before


def test_a_route_that_cannot_be_moved_takes_the_scale_back(live: World) -> None:
    before = live.visible()
    live.proxy.is_down = True
    with pytest.raises(ProxyUnavailable):
        scale(live, web=2)
    live.proxy.is_down = False
    assert live.visible() == before
    assert live.store.formation.get(live.app().id) == {}


def test_scale_is_only_stored_for_an_app_that_does_not_run(live: World) -> None:
    operate.stop(live.platform, live.app(), ANNA)
    assert not scale(live, web=2)
    assert not live.scheduler.running
    operate.start(live.platform, live.app(), ANNA)
    assert list(running(live)) == ["web.1", "web.2"]


def test_too_many_processes_are_refused_before_anything_starts(live: World) -> None:
    before = live.visible()
    with pytest.raises(InvalidName):
        scale(live, web=30)
    assert live.visible() == before


def test_the_formation_of_app_json_holds_and_locks_the_scale(live: World) -> None:
    said = {"formation": {"web": {"quantity": 2}, "worker": {"quantity": 1}}}
    assert live.push(procfile=TWO, app_json=said) == "ok"
    assert list(running(live)) == ["web.1", "web.2", "worker.1"]
    with pytest.raises(Conflict, match=r"app\.json"):
        scale(live, web=1)
    live.push(procfile=TWO)
    assert list(running(live)) == ["web.1"]


def test_one_process_or_type_can_be_restarted_alone(live: World) -> None:
    scale(live, web=2, worker=1)
    before = running(live)
    operate.restart(live.platform, live.app(), ANNA, process="web.2")
    now = running(live)
    assert {name for name in now if now[name] != before[name]} == {"web.2"}
    operate.restart(live.platform, live.app(), ANNA, process="worker")
    assert running(live)["worker.1"] != now["worker.1"]
    with pytest.raises(NotFound, match=r"no process web\.3"):
        operate.restart(live.platform, live.app(), ANNA, process="web.3")


class Watched:
    """Notes which containers ran at the moment when a new one started."""

    def __init__(self, world: World) -> None:
        self.beside: list[tuple[str, list[str]]] = []
        begin = world.scheduler._begin

        def noting(spec: object, program: Program) -> str:
            names = [c.spec.process_type for c in world.scheduler.running.values() if c.seen.pid]
            self.beside.append((getattr(spec, "process_type", ""), names))
            return begin(spec, program)  # type: ignore[arg-type]  # passed through as it came

        world.scheduler._begin = noting  # type: ignore[method-assign]  # to look inside


def recreate(world: World, process_type: str) -> None:
    formation.set_property(world.platform, world.app(), f"strategy.{process_type}", "recreate")


def test_a_recreated_worker_never_runs_twice_and_web_rolls(live: World) -> None:
    scale(live, worker=1)
    recreate(live, "worker")
    watched = Watched(live)
    assert live.push(procfile="web: better\nworker: work") == "ok"
    assert watched.beside == [("web", ["web", "worker"]), ("worker", ["web", "web"])]
    assert list(running(live)) == ["web.1", "worker.1"]


def test_a_recreated_process_that_fails_brings_the_old_one_back(live: World) -> None:
    scale(live, worker=1)
    recreate(live, "worker")
    before = running(live)
    answer = live.push(procfile=f"web: better\nworker: {CRASHES}")
    assert answer.endswith("; v1 still live")
    now = running(live)
    assert now["web.1"] == before["web.1"]
    assert now["worker.1"].id != before["worker.1"].id
    assert now["worker.1"].address == before["worker.1"].address
    commands = {c.spec.command for c in live.scheduler.running.values() if c.seen.pid}
    assert commands == {"serve", "work"}
    assert live.scheduler.running[now["worker.1"].id].kept


def test_a_recreated_web_that_fails_serves_again_as_before(live: World) -> None:
    recreate(live, "web")
    routes = live.proxy.routes["shop"]
    assert live.push(procfile=f"web: {CRASHES}\nworker: work").startswith("ng ")
    assert live.proxy.routes["shop"] == routes
    [web] = running(live).values()
    assert live.scheduler.running[web.id].spec.command == "serve"


def test_a_recreated_web_is_said_to_serve_once_it_answers_again(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    recreate(live, "web")
    start, switch, happened = live.scheduler.start, live.proxy.switch, list[str]()

    def open_port(container: Running) -> None:
        happened.append("port")
        container.server = serve(container.spec.address, container.spec.port, 200)

    def start_slowly(spec: ProcessSpec) -> str:
        made = start(spec)
        container = live.scheduler.running[made]
        if spec.command == "serve" and container.server:
            container.server.shutdown()
            container.server.server_close()
            threading.Timer(0.2, open_port, [container]).start()
        return made

    monkeypatch.setattr(live.scheduler, "start", start_slowly)

    def note(app: str, routes: Sequence[Route]) -> None:
        if routes:
            happened.append("route")
        switch(app, routes)

    monkeypatch.setattr(live.proxy, "switch", note)
    assert live.push(procfile=f"web: {CRASHES}\nworker: work").startswith("ng ")
    assert happened == ["port", "route"]
    assert "v1 is still serving" in live.said


def test_a_recreated_web_that_does_not_come_back_is_told(live: World) -> None:
    recreate(live, "web")
    live.scheduler.programs["serve"] = Program(status=None)
    assert live.push(procfile=f"web: {CRASHES}\nworker: work").startswith("ng ")
    assert "still serving" not in live.said
    assert "v1 was started again, but does not answer yet: ps:report shop" in live.said


def test_a_recreated_web_comes_back_when_the_route_cannot_be_moved(live: World) -> None:
    recreate(live, "web")
    publish = live.proxy.publish
    live.proxy.publish = lambda site: _refuse()  # type: ignore[method-assign]  # fails after the map
    assert live.push(procfile="web: better\nworker: work").startswith("ng nginx")
    live.proxy.publish = publish  # type: ignore[method-assign]
    [web] = running(live).values()
    assert live.scheduler.running[web.id].spec.command == "serve"
    assert {route.address for route in live.proxy.routes["shop"]} == {web.address}


def _refuse() -> bool:
    raise ProxyUnavailable("nginx refuses")


@pytest.mark.parametrize(
    ("key", "value"), [("strategy", "slow"), ("strategy.", "rolling"), ("stratgy", "rolling")]
)
def test_a_strategy_that_is_typed_wrongly_is_refused(live: World, key: str, value: str) -> None:
    with pytest.raises(UsageError):
        formation.set_property(live.platform, live.app(), key, value)


def test_an_app_s_strategy_holds_for_types_without_their_own(live: World) -> None:
    formation.set_property(live.platform, live.app(), "strategy", "recreate")
    formation.set_property(live.platform, live.app(), "strategy.web", "rolling")
    found = [formation.strategy(live.platform, live.app(), name) for name in ("web", "worker")]
    assert found == ["rolling", "recreate"]
    formation.set_property(live.platform, live.app(), "strategy", "")
    assert formation.strategy(live.platform, live.app(), "worker") == "rolling"


def test_a_scale_is_a_deploy_with_a_log(live: World) -> None:
    scale(live, web=2)
    deploy = live.store.deploys.list()[0]
    assert (deploy.reason, deploy.state, deploy.version) == ("ps:scale", DeployState.DONE, None)
    assert "Starting web.2" in (live.settings.logs / "deploys" / f"{deploy.id}.log").read_text()
