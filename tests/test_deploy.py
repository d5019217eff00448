"""The pipeline on a real database: what a push does, and that a failed one changes nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paas import operate, rerelease
from paas.errors import BuildFailed, EngineUnavailable, NotFound, PaasError, StartFailed
from paas.model import ContainerRole, DeployState
from paas.reconcile import Reconciler
from paas.verb import Cause
from tests.test_hooks import write_hook
from tests.world import ANNA, CRASHES, HANGS, World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


@pytest.fixture
def live(world: World) -> World:
    """Have an app `shop` with v1 live."""
    assert world.push() == "ok"
    return world


def test_a_first_push_creates_the_app_and_serves_it(world: World) -> None:
    assert world.push() == "ok"
    assert world.app().version == 1
    assert world.proxy.sites["shop"].domains == ("shop.paas.localhost",)
    [leads_to] = {(route.address, route.port) for route in world.proxy.routes["shop"]}
    [container] = world.store.containers.of(world.app().id, ContainerRole.CURRENT)
    assert leads_to == (container.address, 5000)
    served = {route.service for route in world.proxy.routes["shop"]}
    assert served == set(world.proxy.sites["shop"].upstreams)
    assert world.scheduler.running[container.id].kept


def test_the_pusher_reads_the_plan_the_url_and_the_log_s_name(world: World) -> None:
    world.push()
    said = world.said
    assert (
        said.index("received") < said.index("Dockerfile; processes: web") < said.index("Building")
    )
    assert "=====> Deployed shop v1 in" in said
    assert "\n       http://shop.paas.localhost\n" in said
    assert "deploys:log shop 1" in said


def test_the_second_push_drains_the_first_and_names_the_undo(live: World) -> None:
    [old] = live.store.containers.of(live.app().id)
    assert live.push(procfile="web: serve better") == "ok"
    roles = {c.id: c.role for c in live.store.containers.of(live.app().id)}
    assert roles.pop(old.id) is ContainerRole.DRAINING
    assert list(roles.values()) == [ContainerRole.CURRENT]
    assert "releases:rollback shop" in live.said


def test_a_push_with_the_same_domains_does_not_touch_nginx(live: World) -> None:
    before = live.proxy.sites["shop"]
    live.push(procfile="web: serve better")
    assert live.proxy.sites["shop"] == before


def break_build(world: World) -> str:
    world.builder.error = BuildFailed("The build stopped")
    return "web: new"


def match_no_buildpack(_: World) -> str:
    return ""


def crash_at_start(_: World) -> str:
    return f"web: {CRASHES}"


def open_no_port(_: World) -> str:
    return f"web: {HANGS}"


def fail_the_release_command(_: World) -> str:
    return f"web: new\nrelease: {CRASHES}"


def crash_a_second_process(world: World) -> str:
    world.store.formation.set(world.app().id, {"worker": 1})
    return f"web: new\nworker: {CRASHES}"


def refuse_in_a_hook(world: World) -> str:
    world.settings.hooks.mkdir()
    write_hook(world.settings.hooks, "no", "exit 1", "pre-release")
    return "web: new"


FAILURES: list[Callable[[World], str]] = [
    break_build,
    crash_at_start,
    open_no_port,
    fail_the_release_command,
    crash_a_second_process,
    refuse_in_a_hook,
]


@pytest.mark.parametrize("cause", FAILURES, ids=lambda cause: cause.__name__)
def test_a_failed_push_changes_nothing_visible_and_says_what_is_live(
    live: World, cause: Callable[[World], str]
) -> None:
    before = live.visible()
    answer = live.push(procfile=cause(live))
    assert answer.startswith("ng ")
    assert answer.endswith("; v1 still live")
    assert live.visible() == before
    assert "Not deployed. v1 is still serving http://shop.paas.localhost" in live.said
    assert live.store.deploys.list()[0].state is DeployState.FAILED


def test_with_the_engine_gone_a_push_fails_and_the_reconciler_clears_up(live: World) -> None:
    before = live.visible()
    live.scheduler.is_down = True
    assert live.push(procfile="web: new").startswith("ng ")
    assert "v1 is still serving" in live.said
    live.scheduler.is_down = False
    Reconciler(live.platform).run()
    assert live.visible() == before
    assert live.store.deploys.list()[0].state is DeployState.FAILED


def test_a_route_that_cannot_be_moved_takes_the_commit_back(live: World) -> None:
    before = live.visible()
    live.proxy.is_down = True
    assert live.push(procfile="web: new").startswith("ng nginx is not running")
    live.proxy.is_down = False
    assert live.visible() == before


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> None:
    """Let the next call of a method fail."""
    whole = getattr(owner, name)

    def fail(*_: object) -> None:
        monkeypatch.setattr(owner, name, whole)
        raise EngineUnavailable("Docker Engine does not answer")

    monkeypatch.setattr(owner, name, fail)


@pytest.mark.parametrize("part", ["scheduler.keep", "repos.set_branch"])
def test_a_failure_after_the_switch_fails_no_push_and_recovery_does_the_rest(
    live: World, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    owner, name = part.split(".")
    fail_once(monkeypatch, getattr(live, owner), name)
    assert live.push(procfile="web: newer") == "ok"
    assert "It is live. Not all that follows is done" in live.said
    assert "=====> Deployed shop v2" in live.said
    record = live.store.deploys.list()[0]
    assert record.state is DeployState.SWITCHED
    Reconciler(live.platform).run()
    assert live.store.deploys.get(record.id).state is DeployState.DONE
    assert live.repos.branches[live.app().id, "main"] == record.commit


def test_a_commit_that_can_be_neither_finished_nor_taken_back_is_called_so(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, live.proxy, "switch")
    fail_once(monkeypatch, live.store.deploys, "revert")
    answer = live.push(procfile="web: newer")
    assert answer == "ng Docker Engine does not answer; v2 goes live as soon as that is mended"
    assert "Not deployed" not in live.said
    Reconciler(live.platform).run()
    assert live.store.deploys.list()[0].state is DeployState.DONE


@pytest.mark.parametrize("cause", [match_no_buildpack, crash_at_start])
def test_a_first_push_that_fails_leaves_no_app(world: World, cause: Callable[[World], str]) -> None:
    assert world.push("unborn", cause(world)).startswith("ng ")
    assert world.store.apps.find("unborn") is None
    assert not world.scheduler.running


def test_the_same_commit_can_be_pushed_again_after_a_failure(live: World) -> None:
    live.builder.error = BuildFailed("The build stopped")
    live.push(procfile="web: new")
    assert live.push(procfile="web: new") == "ok"
    assert live.app().version == 2


def test_a_misspelt_app_is_created_and_the_nearest_name_is_told(live: World) -> None:
    live.push("shopp")
    assert "did you mean shop?" in live.said


def test_config_makes_a_release_with_the_same_image(live: World) -> None:
    first = live.current()
    rerelease.reconfigure(live.platform, live.app(), Cause(ANNA, "config:set"), {"A": "1"})
    assert live.current().version == 2
    assert (live.current().image, live.current().config) == (first.image, {"A": "1"})
    assert live.store.config.get(live.app().id) == {"A": "1"}


def test_config_that_breaks_the_app_is_not_stored(live: World) -> None:
    live.scheduler.images = set()  # the image is gone: nothing can start
    before = live.visible()
    with pytest.raises(StartFailed):
        rerelease.reconfigure(live.platform, live.app(), Cause(ANNA, "config:set"), {"A": "1"})
    assert live.visible() == before


def test_config_before_the_first_push_only_stores(world: World) -> None:
    app = world.store.apps.create("shop")
    assert rerelease.reconfigure(world.platform, app, Cause(ANNA, "config:set"), {"A": "1"}) is None
    assert world.store.config.get(app.id) == {"A": "1"}


def test_rollback_brings_image_and_config_back_without_a_build(live: World) -> None:
    first = live.current()
    live.push(procfile="web: new")
    rerelease.reconfigure(live.platform, live.app(), Cause(ANNA, "config:set"), {"A": "1"})
    builds = len(live.builder.builds)
    rerelease.rollback(live.platform, live.app(), ANNA, 1)
    assert live.current().version == 4
    assert (live.current().image, live.current().config) == (first.image, {})
    assert live.store.config.get(live.app().id) == {}
    assert len(live.builder.builds) == builds


def test_a_rebuild_after_a_rollback_goes_forward_again(live: World) -> None:
    live.push(procfile="web: new")
    second = live.current()
    rerelease.rollback(live.platform, live.app(), ANNA, 1)
    rerelease.rebuild(live.platform, live.app(), ANNA)
    assert (live.current().version, live.current().commit) == (4, second.commit)


def test_the_branch_that_was_first_deployed_is_the_one_that_deploys(live: World) -> None:
    assert live.app().deploy_branch == "main"


def test_there_is_nothing_to_roll_back_to_after_the_first_push(live: World) -> None:
    with pytest.raises(NotFound):
        rerelease.rollback(live.platform, live.app(), ANNA)


def test_restart_replaces_the_processes_and_keeps_the_release(live: World) -> None:
    [old] = live.store.containers.of(live.app().id)
    operate.restart(live.platform, live.app(), ANNA)
    [new] = live.store.containers.of(live.app().id, ContainerRole.CURRENT)
    assert new.id != old.id
    assert live.proxy.routes["shop"][0].address == new.address
    assert live.app().version == 1


def test_a_restart_that_fails_leaves_the_running_processes(live: World) -> None:
    live.scheduler.images = set()
    before = live.visible()
    with pytest.raises(StartFailed):
        operate.restart(live.platform, live.app(), ANNA)
    assert live.visible() == before


def test_stop_takes_routes_and_containers_away_and_start_brings_them_back(live: World) -> None:
    operate.stop(live.platform, live.app(), ANNA)
    assert live.proxy.routes["shop"] == ()
    assert not live.scheduler.running
    operate.start(live.platform, live.app(), ANNA)
    assert live.proxy.routes["shop"]


def test_a_push_starts_a_stopped_app(live: World) -> None:
    operate.stop(live.platform, live.app(), ANNA)
    assert live.push(procfile="web: new") == "ok"
    assert live.proxy.routes["shop"]


def test_a_failed_push_leaves_a_stopped_app_stopped(live: World) -> None:
    operate.stop(live.platform, live.app(), ANNA)
    before = live.visible()
    live.push(procfile=f"web: {CRASHES}")
    assert live.visible() == before


def test_destroy_leaves_nothing(live: World) -> None:
    operate.destroy(live.platform, live.app())
    assert live.store.apps.list() == ()
    assert not live.scheduler.running
    assert not live.scheduler.networks
    assert not live.proxy.sites
    assert not live.repos.branches


def test_workers_start_only_when_they_are_scaled(world: World) -> None:
    world.push(procfile="web: serve\nworker: work")
    assert [c.process for c in world.store.containers.of(world.app().id)] == ["web.1"]
    world.store.formation.set(world.app().id, {"worker": 2})
    operate.restart(world.platform, world.app(), ANNA)
    running = world.store.containers.of(world.app().id, ContainerRole.CURRENT)
    assert [c.process for c in running] == ["web.1", "worker.1", "worker.2"]


def test_an_app_without_web_runs_each_of_its_processes_once(world: World) -> None:
    world.push(procfile="worker: work\nclock: tick")
    assert [c.process for c in world.store.containers.of(world.app().id)] == ["clock.1", "worker.1"]


def test_the_release_command_runs_before_the_new_processes(world: World) -> None:
    world.push(procfile="web: serve\nrelease: migrate")
    assert [spec.command for spec in world.scheduler.ran] == ["migrate"]
    assert "release" not in {c.process_type for c in world.store.containers.of(world.app().id)}


def test_a_post_deploy_hook_that_fails_does_not_undo_the_deploy(live: World) -> None:
    live.settings.hooks.mkdir()
    write_hook(live.settings.hooks, "no", "echo $PAAS_RELEASE is bad; exit 1", "post-deploy")
    assert live.push(procfile="web: new") == "ok"
    assert "v2 is bad" in live.said
    assert live.app().version == 2


def test_config_values_are_masked_in_what_the_pusher_reads(live: World) -> None:
    live.store.config.change(live.app().id, {"TOKEN": "hunter2hunter2"})
    live.push(procfile="web: new\nrelease: echo hunter2hunter2")
    log = (live.settings.logs / "deploys" / "2.log").read_text()
    assert "hunter2" not in live.said + log
    assert "***" in log


def test_two_changes_of_one_app_do_not_mix(live: World) -> None:
    with live.platform.locks.app(live.app().id, "ben", "ps:restart"), pytest.raises(PaasError):
        operate.restart(live.platform, live.app(), ANNA)
