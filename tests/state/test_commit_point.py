from dataclasses import replace

import pytest

from paas.errors import Conflict, NotFound
from paas.manifest import Check, CheckKind, Manifest
from paas.model import LOCAL_ADMIN, App, ContainerRole, DeployState, Desired
from paas.state.store import SqliteStore
from tests.builders import make_candidate, make_container, release


def roles(store: SqliteStore, app: App) -> dict[str, ContainerRole]:
    return {container.id: container.role for container in store.containers.of(app.id)}


def test_the_first_commit_makes_v1_current(store: SqliteStore, shop: App) -> None:
    made, web = release(store, shop, {"KEY": "value"})
    assert made == store.releases.current(shop.id) == store.releases.get(shop.id, 1)
    assert (made.version, made.config, made.volumes) == (1, {"KEY": "value"}, ("/data",))
    assert [(p.name, p.command) for p in made.processes] == [("web", "serve")]
    assert store.apps.get("shop").version == 1
    assert store.config.get(shop.id) == {"KEY": "value"}
    assert roles(store, shop) == {web.id: ContainerRole.CURRENT}
    deploy = store.deploys.get(made.deploy_id)
    assert (deploy.state, deploy.version) == (DeployState.SWITCHED, 1)


def test_a_commit_drains_what_ran_before(store: SqliteStore, shop: App) -> None:
    _, old = release(store, shop)
    store.apps.set_desired(shop.id, Desired.STOPPED)
    made, new = release(store, shop)
    assert made.version == 2
    assert roles(store, shop) == {old.id: ContainerRole.DRAINING, new.id: ContainerRole.CURRENT}
    assert store.apps.get("shop").desired is Desired.RUNNING
    assert [r.version for r in store.releases.list(shop.id)] == [2, 1]


def test_a_commit_without_config_leaves_the_stored_config(store: SqliteStore, shop: App) -> None:
    store.config.change(shop.id, {"LATER": "1"})
    release(store, shop)
    assert store.config.get(shop.id) == {"LATER": "1"}


def test_a_revert_brings_everything_back(store: SqliteStore, shop: App) -> None:
    before, old = release(store, shop, {"KEY": "old"})
    store.deploys.advance(before.deploy_id, DeployState.DONE)
    store.apps.set_desired(shop.id, Desired.STOPPED)
    made, new = release(store, shop, {"KEY": "new", "MORE": "1"})
    store.deploys.revert(made.deploy_id, "nginx refused")
    app = store.apps.get("shop")
    assert store.releases.current(shop.id) == before
    assert (app.version, app.desired) == (1, Desired.STOPPED)
    assert store.config.get(shop.id) == {"KEY": "old"}
    assert roles(store, shop) == {old.id: ContainerRole.CURRENT, new.id: ContainerRole.STARTING}
    assert [r.version for r in store.releases.list(shop.id)] == [1]
    deploy = store.deploys.get(made.deploy_id)
    assert (deploy.state, deploy.error, deploy.version) == (
        DeployState.FAILED,
        "nginx refused",
        None,
    )


def test_a_revert_of_the_first_release_leaves_none(store: SqliteStore, shop: App) -> None:
    made, _ = release(store, shop, {"KEY": "value"})
    store.deploys.revert(made.deploy_id, "x")
    assert store.releases.current(shop.id) is None
    assert store.config.get(shop.id) == {}
    assert release(store, shop)[0].version == 1


def test_a_revert_forgets_rows_that_are_gone(store: SqliteStore, shop: App) -> None:
    _, old = release(store, shop)
    made, new = release(store, shop)
    store.containers.forget(old)
    store.deploys.revert(made.deploy_id, "x")
    assert roles(store, shop) == {new.id: ContainerRole.STARTING}


@pytest.mark.parametrize("state", [DeployState.DONE, DeployState.BUILDING])
def test_only_a_switched_deploy_can_be_reverted(
    store: SqliteStore, shop: App, state: DeployState
) -> None:
    made, _ = release(store, shop)
    store.deploys.advance(made.deploy_id, state)
    with pytest.raises(Conflict):
        store.deploys.revert(made.deploy_id, "x")
    assert store.releases.current(shop.id) == made


def test_an_older_commit_cannot_be_reverted(store: SqliteStore, shop: App) -> None:
    first, _ = release(store, shop)
    second, _ = release(store, shop)
    with pytest.raises(Conflict):
        store.deploys.revert(first.deploy_id, "x")
    assert store.releases.current(shop.id) == second


def test_a_commit_with_a_forgotten_container_changes_nothing(store: SqliteStore, shop: App) -> None:
    before, old = release(store, shop)
    deploy = store.deploys.start(shop.id, LOCAL_ADMIN, "push", None, None)
    gone = make_container(store, shop, deploy.id)
    store.containers.forget(gone)
    with pytest.raises(NotFound):
        store.deploys.commit(deploy.id, make_candidate(), [gone], {"KEY": "new"})
    assert store.releases.current(shop.id) == before
    assert store.config.get(shop.id) == {}
    assert roles(store, shop) == {old.id: ContainerRole.CURRENT}


def test_secrets_of_the_undo_do_not_outlive_the_deploy(store: SqliteStore, shop: App) -> None:
    made, _ = release(store, shop)
    store.deploys.advance(made.deploy_id, DeployState.DONE)
    row = store._database.row("SELECT undo FROM deploys WHERE id = ?", made.deploy_id)
    assert row is not None
    assert row["undo"] is None


def test_a_release_keeps_what_its_app_json_said(store: SqliteStore, shop: App) -> None:
    check = Check(CheckKind.LIVENESS, "/up", content="fine", timeout=2.5)
    manifest = Manifest("migrate", formation={"web": 2}, checks={"web": (check,)})
    deploy = store.deploys.start(shop.id, LOCAL_ADMIN, "push", None, None)
    candidate = replace(make_candidate(), manifest=manifest)
    store.deploys.commit(deploy.id, candidate, [make_container(store, shop, deploy.id)])
    release = store.releases.current(shop.id)
    assert release is not None
    assert release.manifest == manifest


def test_a_changed_formation_is_taken_back_with_the_rest(store: SqliteStore, shop: App) -> None:
    _, old = release(store, shop)
    store.formation.set(shop.id, {"web": 1})
    deploy = store.deploys.start(shop.id, LOCAL_ADMIN, "ps:scale", None, None)
    more = make_container(store, shop, deploy.id, slot=2)
    store.deploys.replace(deploy.id, [old, more], {"web": 2, "worker": 1})
    assert store.formation.get(shop.id) == {"web": 2, "worker": 1}
    assert set(roles(store, shop).values()) == {ContainerRole.CURRENT}
    store.deploys.revert(deploy.id, "nginx refused")
    assert store.formation.get(shop.id) == {"web": 1}
    assert roles(store, shop) == {old.id: ContainerRole.CURRENT, more.id: ContainerRole.STARTING}


def test_an_old_release_can_be_dropped_and_the_current_one_not(
    store: SqliteStore, shop: App
) -> None:
    first, second = release(store, shop)[0], release(store, shop)[0]
    store.releases.drop(first)
    store.releases.drop(second)
    assert store.releases.list(shop.id) == (second,)
    assert release(store, shop)[0].version == 3
