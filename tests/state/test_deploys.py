import os

import pytest

from paas.errors import Cancelled, Conflict, NotFound
from paas.model import LOCAL_ADMIN, App, Deploy, DeployState
from paas.state.store import SqliteStore
from tests.builders import make_candidate, make_container


def start(store: SqliteStore, app: App) -> Deploy:
    return store.deploys.start(app.id, LOCAL_ADMIN, "push", "a" * 40, "master")


def test_a_deploy_starts_as_received_by_this_process(store: SqliteStore, shop: App) -> None:
    deploy = start(store, shop)
    assert store.deploys.get(deploy.id) == deploy
    assert (deploy.state, deploy.pid) == (DeployState.RECEIVED, os.getpid())
    assert (deploy.actor, deploy.reason, deploy.branch) == ("root", "push", "master")


def test_a_deploy_is_unfinished_until_it_is_done(store: SqliteStore, shop: App) -> None:
    first, second = start(store, shop), start(store, shop)
    store.deploys.advance(second.id, DeployState.BUILDING)
    assert [d.id for d in store.deploys.unfinished()] == [first.id, second.id]
    store.deploys.advance(first.id, DeployState.DONE)
    assert [d.id for d in store.deploys.unfinished()] == [second.id]
    assert store.deploys.get(first.id).finished_at is not None


def test_a_final_state_never_moves(store: SqliteStore, shop: App) -> None:
    deploy = start(store, shop)
    store.deploys.fail(deploy.id, DeployState.FAILED, "no buildpack")
    store.deploys.advance(deploy.id, DeployState.BUILDING)
    store.deploys.fail(deploy.id, DeployState.CANCELLED, "later")
    now = store.deploys.get(deploy.id)
    assert (now.state, now.error) == (DeployState.FAILED, "no buildpack")


def test_a_cancelled_deploy_stops_at_its_next_step(store: SqliteStore, shop: App) -> None:
    deploy = start(store, shop)
    store.deploys.fail(deploy.id, DeployState.CANCELLED, "by anna")
    with pytest.raises(Cancelled):
        store.deploys.advance(deploy.id, DeployState.BUILDING)
    with pytest.raises(Cancelled):
        store.deploys.commit(deploy.id, make_candidate(), [])
    assert store.releases.current(shop.id) is None


def test_a_deploy_past_the_commit_point_cannot_be_failed(store: SqliteStore, shop: App) -> None:
    deploy = start(store, shop)
    store.deploys.commit(deploy.id, make_candidate(), [make_container(store, shop, deploy.id)])
    store.deploys.fail(deploy.id, DeployState.CANCELLED, "too late")
    assert store.deploys.get(deploy.id).state is DeployState.SWITCHED
    with pytest.raises(Conflict):
        store.deploys.commit(deploy.id, make_candidate(), [])


def test_deploys_are_listed_newest_first_and_per_app(store: SqliteStore, shop: App) -> None:
    other = store.apps.create("other")
    first, second, third = start(store, shop), start(store, other), start(store, shop)
    assert [d.id for d in store.deploys.list(shop.id)] == [third.id, first.id]
    assert [d.id for d in store.deploys.list(limit=2)] == [third.id, second.id]


def test_a_missing_deploy_is_not_found(store: SqliteStore) -> None:
    with pytest.raises(NotFound):
        store.deploys.advance(7, DeployState.BUILDING)


def test_each_state_is_kept_with_the_time_at_which_it_was_entered(
    store: SqliteStore, shop: App
) -> None:
    deploy = start(store, shop)
    store.deploys.advance(deploy.id, DeployState.BUILDING)
    store.deploys.commit(deploy.id, make_candidate(), [make_container(store, shop, deploy.id)])
    store.deploys.advance(deploy.id, DeployState.DONE)
    steps = store.deploys.get(deploy.id).steps
    assert [state for state, _ in steps] == ["received", "building", "switched", "done"]
    times = [at for _, at in steps]
    assert times == sorted(times)
    assert times[0] >= deploy.started_at


def test_a_deploy_that_is_asked_to_stop_goes_no_further(store: SqliteStore, shop: App) -> None:
    deploy = start(store, shop)
    assert store.deploys.cancel(deploy.id, LOCAL_ADMIN)
    with pytest.raises(Cancelled, match="cancelled by root"):
        store.deploys.advance(deploy.id, DeployState.BUILDING)
    with pytest.raises(Cancelled):
        store.deploys.commit(deploy.id, make_candidate(), [])
    with pytest.raises(Cancelled):
        store.deploys.replace(deploy.id, [])
    assert store.deploys.unfinished() == (store.deploys.get(deploy.id),)
    store.deploys.fail(deploy.id, DeployState.CANCELLED, "by root")
    assert store.deploys.get(deploy.id).state is DeployState.CANCELLED


def test_past_the_commit_point_nothing_can_be_cancelled(store: SqliteStore, shop: App) -> None:
    deploy = start(store, shop)
    store.deploys.commit(deploy.id, make_candidate(), [make_container(store, shop, deploy.id)])
    assert not store.deploys.cancel(deploy.id, LOCAL_ADMIN)
    store.deploys.advance(deploy.id, DeployState.DONE)
    assert not store.deploys.cancel(deploy.id, LOCAL_ADMIN)
    assert store.deploys.get(deploy.id).cancelled_by is None


def test_the_newest_deploy_that_is_over_is_known_per_app(store: SqliteStore, shop: App) -> None:
    other = store.apps.create("other")
    first, second = start(store, shop), start(store, other)
    for deploy in (first, second):
        store.deploys.advance(deploy.id, DeployState.DONE)
    start(store, shop)
    assert store.deploys.newest_finished() == {shop.id: first.id, other.id: second.id}
