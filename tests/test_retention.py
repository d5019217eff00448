"""What is kept of releases, what goes, and what cannot come back any more."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paas import operate, rerelease, retention
from paas.errors import Conflict, NotFound
from paas.model import ContainerRole
from paas.reconcile import Reconciler
from paas.retention import Pruner
from paas.verb import Cause
from tests.world import ANNA, CRASHES, World, make_world


@pytest.fixture
def live(tmp_path: Path) -> Iterator[World]:
    """Have an app `shop` with v1, v2 and v3, which keeps two releases."""
    with make_world(tmp_path) as world:
        for number in (1, 2, 3):
            assert world.push(procfile=f"web: {number}") == "ok"
        world.store.properties.set(world.app().id, retention.TOPIC, "retention", "2")
        retire(world)
        yield world


def retire(world: World) -> None:
    """Let the old processes go, as the background does after a while."""
    now = [0.0]
    reconciler = Reconciler(world.platform, lambda: now[0])
    reconciler.retire()
    now[0] = 60.0
    reconciler.retire()
    assert not world.store.containers.of(world.app().id, ContainerRole.DRAINING)


def versions(world: World) -> list[int]:
    return [release.version for release in world.store.releases.list(world.app().id)]


def test_what_is_not_kept_goes_with_image_source_and_row(live: World) -> None:
    first, *rest = reversed(live.store.releases.list(live.app().id))
    Pruner().run(live.platform)
    assert versions(live) == [3, 2]
    assert live.builder.images(live.app()) == {release.image for release in rest}
    assert (live.app().id, first.deploy_id) not in live.repos.kept
    assert len(live.repos.kept) == 2


def test_an_image_that_a_kept_release_has_too_stays(live: World) -> None:
    rerelease.rollback(live.platform, live.app(), ANNA, 1)
    retire(live)
    Pruner().run(live.platform)
    assert versions(live) == [4, 3]
    assert live.current().image in live.builder.images(live.app())
    assert live.repos.kept[live.app().id, live.current().deploy_id] == live.current().commit


def test_an_image_of_a_failed_deploy_goes(live: World) -> None:
    live.push(procfile=f"web: {CRASHES}")
    assert len(live.builder.images(live.app())) == 4
    Pruner().run(live.platform)
    assert len(live.builder.images(live.app())) == 2


def test_nothing_is_pruned_while_old_processes_drain_or_a_deploy_is_at_work(live: World) -> None:
    pruner = Pruner()
    with live.platform.locks.app(live.app().id, "anna", "push"):
        pruner.run(live.platform)
    live.push(procfile="web: 4")
    pruner.run(live.platform)
    assert versions(live) == [4, 3, 2, 1]
    retire(live)
    pruner.run(live.platform)
    assert versions(live) == [4, 3]


def test_another_app_with_the_same_content_keeps_its_image(live: World) -> None:
    live.push("blog", procfile="web: 1")
    Pruner().run(live.platform)
    blog = live.app("blog")
    assert live.current("blog").image in live.builder.images(blog)
    assert [r.version for r in live.store.releases.list(blog.id)] == [1]


def test_a_release_without_its_image_is_refused_with_those_that_are_possible(live: World) -> None:
    [image] = [r.image for r in live.store.releases.list(live.app().id) if r.version == 1]
    live.builder.remove_images(live.app(), [image])
    with pytest.raises(NotFound, match="v1 of shop cannot come back") as caught:
        rerelease.rollback(live.platform, live.app(), ANNA, 1)
    assert caught.value.hint == "Possible: v2"
    Pruner().run(live.platform)
    with pytest.raises(NotFound) as caught:
        rerelease.rollback(live.platform, live.app(), ANNA, 1)
    assert caught.value.hint == "Possible: v2"


def test_a_release_that_never_was_is_not_said_to_be_gone(live: World) -> None:
    with pytest.raises(NotFound, match="There is no release v99 of shop yet"):
        rerelease.rollback(live.platform, live.app(), ANNA, 99)


def test_the_undo_of_a_rollback_names_what_was_left(
    live: World, capsys: pytest.CaptureFixture[str]
) -> None:
    rerelease.rollback(live.platform, live.app(), ANNA, 1)
    assert "releases:rollback shop v3\n" in capsys.readouterr().out


def test_the_current_release_is_no_target(live: World) -> None:
    with pytest.raises(Conflict, match="v3 is the current release"):
        rerelease.rollback(live.platform, live.app(), ANNA, 3)


def test_without_a_number_the_release_before_comes_back(live: World) -> None:
    rerelease.rollback(live.platform, live.app(), ANNA)
    assert live.current().processes[0].command == "2"


def test_a_second_rollback_goes_further_back_until_there_is_no_more(live: World) -> None:
    for command in ("2", "1"):
        rerelease.rollback(live.platform, live.app(), ANNA)
        assert live.current().processes[0].command == command
    with pytest.raises(NotFound, match="v5 of shop is v1 again, and nothing"):
        rerelease.rollback(live.platform, live.app(), ANNA)
    live.push(procfile="web: 4")
    rerelease.rollback(live.platform, live.app(), ANNA)
    assert live.current().processes[0].command == "1"


def test_config_can_be_kept_in_a_rollback(live: World) -> None:
    rerelease.reconfigure(live.platform, live.app(), Cause(ANNA, "config:set"), {"A": "1"})
    rerelease.rollback(live.platform, live.app(), ANNA, 2, keep_config=True)
    assert live.current().processes[0].command == "2"
    assert live.current().config == live.store.config.get(live.app().id) == {"A": "1"}


def test_destroying_an_app_leaves_no_image_and_its_twin_its_own(live: World) -> None:
    live.push("blog", procfile="web: 1")
    shop = live.app()
    operate.destroy(live.platform, shop)
    assert not live.builder.images(shop)
    assert live.builder.images(live.app("blog"))


def test_an_app_that_the_reconciler_holds_is_pruned_later(live: World) -> None:
    pruner = Pruner()
    with live.platform.locks.app(live.app().id, "paas", "reconcile"):
        pruner.run(live.platform)
    assert versions(live) == [3, 2, 1]
    pruner.run(live.platform)
    assert versions(live) == [3, 2]


def test_old_deploys_are_forgotten_with_their_logs_but_for_those_of_releases(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DEPLOYS", 2)
    for _ in range(4):
        live.push(procfile=f"web: {CRASHES}")
    Pruner().run(live.platform)
    retention.remove_deploy_logs(live.platform)
    ids = [deploy.id for deploy in live.store.deploys.list()]
    assert ids == [7, 6, 3, 2]
    logs = (live.settings.logs / "deploys").glob("*.log")
    assert sorted(int(log.stem) for log in logs) == sorted(ids)
