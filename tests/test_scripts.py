"""Predeploy, release and postdeploy, and the checks of app.json, on the whole pipeline."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paas import checks, rerelease, retention
from paas.errors import InvalidName, UsageError
from paas.model import ContainerRole, DeployState
from paas.reconcile import Reconciler
from paas.verb import Cause
from tests.fakes.engine import Program
from tests.world import ANNA, CRASHES, HANGS, World, make_world


@pytest.fixture
def live(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as world:
        assert world.push() == "ok"
        yield world


def scripts(predeploy: str = "", postdeploy: str = "") -> dict[str, Any]:
    return {"scripts": {"dokku": {"predeploy": predeploy, "postdeploy": postdeploy}}}


def test_scripts_run_in_their_order_around_the_switch(live: World) -> None:
    before = len(live.scheduler.started)
    assert live.push(procfile="web: new\nrelease: migrate", app_json=scripts("pre", "post")) == "ok"
    assert [spec.command for spec in live.scheduler.ran] == ["pre", "migrate", "post"]
    assert [spec.command for spec in live.scheduler.baked.values()] == ["pre"]
    assert len(live.scheduler.started) - before == 1
    steps = ("Predeploy command: pre", "Release command: migrate", "Starting web.1", "Postdeploy")
    said = [live.said.rindex(step) for step in steps]
    assert said == sorted(said)
    rows = live.store.containers.of(live.app().id)
    assert {row.process_type for row in rows} == {"web"}


@pytest.mark.parametrize("command", [CRASHES, HANGS])
def test_a_predeploy_that_fails_or_hangs_changes_nothing(live: World, command: str) -> None:
    before = live.visible()
    answer = live.push(procfile="web: new", app_json=scripts(predeploy=command))
    assert answer.startswith("ng ")
    assert "predeploy" in answer
    assert answer.endswith("; v1 still live")
    assert live.visible() == before


@pytest.mark.parametrize("command", [CRASHES, HANGS])
def test_a_release_command_that_fails_or_hangs_leaves_config_and_numbers(
    live: World, command: str
) -> None:
    live.push(procfile="web: new\nrelease: migrate")
    live.scheduler.programs["migrate"] = live.scheduler.programs[command]
    before = live.visible()
    with pytest.raises(Exception, match="release"):
        rerelease.reconfigure(live.platform, live.app(), Cause(ANNA, "config:set"), {"A": "1"})
    assert live.visible() == before
    assert live.store.config.get(live.app().id) == {}
    live.scheduler.programs["migrate"] = Program(exit_code=0)
    rerelease.reconfigure(live.platform, live.app(), Cause(ANNA, "config:set"), {"A": "1"})
    assert live.app().version == 3


def test_what_a_script_writes_in_pieces_is_masked_in_whole_lines(live: World) -> None:
    rerelease.reconfigure(
        live.platform, live.app(), Cause(ANNA, "config:set"), {"A": "hunter2hunter2"}
    )
    live.scheduler.programs["tell"] = Program(stdout=("my hunter2hunter2",), exit_code=1)
    live.push(procfile="web: new", app_json=scripts("tell"))
    assert "| my ***\n" in live.said
    assert "hunter" not in live.said


def test_a_script_that_hangs_is_shown_with_its_last_lines(live: World) -> None:
    live.scheduler.programs["wait"] = Program(stdout=("waiting for a lock",), exit_code=None)
    live.push(procfile="web: new", app_json=scripts("wait"))
    assert "The predeploy command did not end within" in live.said
    assert "| waiting for a lock\n" in live.said


def test_a_postdeploy_that_fails_is_told_and_the_release_stays(live: World) -> None:
    assert live.push(procfile="web: new", app_json=scripts(postdeploy=CRASHES)) == "ok"
    assert live.app().version == 2
    assert "The postdeploy command exited with code 1" in live.said
    assert live.store.deploys.list()[0].state is DeployState.DONE
    assert len(live.store.containers.of(live.app().id)) == 2


def test_what_predeploy_writes_is_in_what_follows_and_in_the_release(live: World) -> None:
    live.push(procfile="web: new\nrelease: migrate", app_json=scripts("pre", "post"))
    [(image, spec)] = live.scheduler.baked.items()
    built = {built for built in live.builder.images(live.app()) if built != image}
    assert spec.image in built
    assert live.current().image == image
    assert {spec.image for spec in live.scheduler.ran[1:]} == {image}
    assert live.scheduler.started[-1].image == image


def test_a_release_keeps_what_predeploy_wrote_and_only_a_build_runs_it(
    live: World, capsys: pytest.CaptureFixture[str]
) -> None:
    live.push(procfile="web: new", app_json=scripts("pre"))
    image = live.current().image
    rerelease.reconfigure(live.platform, live.app(), Cause(ANNA, "config:set"), {"A": "1"})
    assert live.current().image == image
    assert "To run predeploy with this config: ps:rebuild shop" in capsys.readouterr().out
    live.push(procfile="web: newer")
    rerelease.rollback(live.platform, live.app(), ANNA, 2)
    assert (live.current().image, live.current().manifest.predeploy) == (image, "pre")
    assert len(live.scheduler.baked) == 1


def test_predeploy_gets_the_config_and_a_rebuild_runs_it_again(live: World) -> None:
    rerelease.reconfigure(live.platform, live.app(), Cause(ANNA, "config:set"), {"A": "1"})
    live.push(procfile="web: new", app_json=scripts("pre"))
    assert live.scheduler.ran[-1].config["A"] == "1"
    first = live.current().image
    rerelease.rebuild(live.platform, live.app(), ANNA)
    assert len(live.scheduler.baked) == 2
    assert live.current().image != first
    assert [spec.image == first for spec in live.scheduler.baked.values()] == [False, False]


def test_an_image_that_predeploy_made_too_large_fails_the_deploy(live: World) -> None:
    before, images = live.visible(), live.builder.images(live.app())
    live.builder.too_large = True
    answer = live.push(procfile="web: new", app_json=scripts("pre"))
    assert "The image has" in answer
    assert (live.visible(), live.scheduler.baked) == (before, {})
    assert len(live.builder.images(live.app())) == len(images) + 1  # what was built


def test_images_that_no_release_has_go_with_the_next_pruning(live: World) -> None:
    live.push(procfile="web: new", app_json=scripts("pre"))
    retention.prune(live.platform, live.app())
    listed = live.store.releases.list(live.app().id)
    assert live.builder.images(live.app()) == {release.image for release in listed}


def test_a_crash_in_postdeploy_leaves_nothing_behind(live: World) -> None:
    app = live.app()
    record = live.store.deploys.start(app.id, ANNA, "push", None, None)
    live.store.deploys.replace(record.id, live.store.containers.of(app.id))
    live.store.containers.reserve(app, record.id, "postdeploy", 99, 5000)
    Reconciler(live.platform).run()
    assert live.store.deploys.get(record.id).state is DeployState.DONE
    assert [row.process_type for row in live.store.containers.of(app.id)] == ["web"]


def check(**values: object) -> dict[str, Any]:
    return {"healthchecks": {"web": [{"type": "startup", "attempts": 1, **values}]}}


def test_a_check_path_of_app_json_decides(live: World) -> None:
    live.scheduler.programs["teapot"] = Program(status=418)
    assert live.push(procfile="web: teapot") == "ok"
    before = live.visible()
    answer = live.push(procfile="web: teapot", app_json=check(path="/up"))
    assert "web.1 answered 418 on /up" in answer
    assert live.visible() == before


def test_the_content_of_a_check_must_be_there(live: World) -> None:
    assert live.push(procfile="web: a", app_json=check(path="/up", content="ok")) == "ok"
    answer = live.push(procfile="web: b", app_json=check(path="/up", content="fine"))
    assert "answered 200 on /up without 'fine'" in answer


def test_checks_set_overrides_app_json(live: World) -> None:
    checks.set_property(live.platform, live.app(), "path", "/other")
    [found] = checks.startup_checks(live.platform, live.app(), live.current().manifest, "web")
    assert found.path == "/other"
    checks.set_property(live.platform, live.app(), "content", "fine")
    assert live.push(procfile="web: new").startswith("ng ")
    checks.set_property(live.platform, live.app(), "content", "")
    assert live.push(procfile="web: new") == "ok"


def test_a_worker_must_stay_up_as_long_as_its_check_says(live: World) -> None:
    said = {"healthchecks": {"worker": [{"uptime": 2}]}}
    live.push(procfile="web: serve\nworker: work", app_json=said)
    manifest = live.current().manifest
    wanted = checks.startup_checks(live.platform, live.app(), manifest, "worker")
    assert checks.uptime(wanted) == 2
    assert checks.uptime(()) == 1


def test_timeouts_of_an_app_take_the_place_of_the_host_s(live: World) -> None:
    app = live.app()
    assert checks.startup_timeout(live.platform, app) == live.settings.health_timeout
    checks.set_property(live.platform, app, "startup-timeout", "180")
    checks.set_property(live.platform, app, "wait-to-retire", "0")
    assert checks.startup_timeout(live.platform, app) == 180
    assert checks.drain_timeout(live.platform, app.id) == 0
    live.push(procfile="web: new")
    [old] = live.store.containers.of(app.id, ContainerRole.DRAINING)
    live.scheduler.open_connections[old.id] = 1
    Reconciler(live.platform).retire()
    assert old.id not in live.scheduler.running


@pytest.mark.parametrize(
    ("key", "value"),
    [("path", "up"), ("path", "/a b"), ("timeout", "0"), ("attempts", "1.5"), ("content", "\0")],
)
def test_a_property_that_is_not_of_its_form_is_refused(live: World, key: str, value: str) -> None:
    with pytest.raises(InvalidName):
        checks.set_property(live.platform, live.app(), key, value)


def test_an_unknown_property_is_refused(live: World) -> None:
    with pytest.raises(UsageError, match="pth"):
        checks.set_property(live.platform, live.app(), "pth", "/")
