from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paas.errors import Conflict, NotFound
from paas.model import LOCAL_ADMIN, App, Container, ContainerRole
from paas.settings import Settings
from paas.state.store import SqliteStore
from tests.builders import make_container, make_store, release


def start(store: SqliteStore, app: App) -> int:
    return store.deploys.start(app.id, LOCAL_ADMIN, "push", None, None).id


def test_the_first_address_is_the_one_after_the_gateway(store: SqliteStore, shop: App) -> None:
    other = store.apps.create("other")
    first = store.containers.reserve(shop, start(store, shop), "web", 1, 5000)
    second = store.containers.reserve(other, start(store, other), "web", 1, 5000)
    assert (first.address, first.role, first.id) == ("10.213.0.2", ContainerRole.STARTING, "")
    assert second.address == "10.213.0.34"


def test_asking_again_gives_the_same_row(store: SqliteStore, shop: App) -> None:
    deploy = start(store, shop)
    first = store.containers.reserve(shop, deploy, "web", 1, 5000)
    assert store.containers.reserve(shop, deploy, "web", 1, 5000) == first
    assert store.containers.reserve(shop, deploy, "web", 2, 5000).address != first.address


def test_addresses_of_all_roles_are_taken(store: SqliteStore, shop: App) -> None:
    draining = release(store, shop)[1]
    current = release(store, shop)[1]
    starting = store.containers.reserve(shop, start(store, shop), "web", 1, 5000)
    roles = [row.role for row in store.containers.of(shop.id)]
    assert sorted(roles) == ["current", "draining", "starting"]
    assert len({draining.address, current.address, starting.address}) == 3


def test_a_full_subnet_is_a_conflict(store: SqliteStore, shop: App) -> None:
    deploy = start(store, shop)
    rows = [store.containers.reserve(shop, deploy, "web", n, 5000) for n in range(1, 30)]
    assert rows[-1].address == "10.213.0.30"
    with pytest.raises(Conflict, match="addresses of shop are taken"):
        store.containers.reserve(shop, deploy, "web", 30, 5000)
    store.containers.forget(rows[4])
    assert store.containers.reserve(shop, deploy, "web", 30, 5000).address == rows[4].address


def test_the_engines_id_is_recorded(store: SqliteStore, shop: App) -> None:
    reserved = store.containers.reserve(shop, start(store, shop), "web", 1, 5000)
    first = store.containers.started(reserved, "abc")
    second = store.containers.started(first, "def")
    assert (first.id, second.id) == ("abc", "def")
    assert store.containers.list() == (second,)


def test_a_forgotten_row_cannot_be_started(store: SqliteStore, shop: App) -> None:
    reserved = store.containers.reserve(shop, start(store, shop), "web", 1, 5000)
    store.containers.forget(reserved)
    with pytest.raises(NotFound):
        store.containers.started(reserved, "abc")


def test_stopping_drains_only_the_current(store: SqliteStore, shop: App) -> None:
    _, web = release(store, shop)
    make_container(store, shop, start(store, shop))
    drained = store.containers.current_to_draining(shop.id)
    assert [(row.id, row.role) for row in drained] == [(web.id, ContainerRole.DRAINING)]
    assert len(store.containers.of(shop.id, ContainerRole.STARTING)) == 1


def test_replacing_makes_no_release(store: SqliteStore, shop: App) -> None:
    made, old = release(store, shop)
    new = make_container(store, shop, start(store, shop))
    store.deploys.replace(new.deploy_id, [new])
    current = store.containers.of(shop.id, ContainerRole.CURRENT)
    assert [row.id for row in current] == [new.id]
    assert [row.id for row in store.containers.of(shop.id, ContainerRole.DRAINING)] == [old.id]
    assert store.releases.current(shop.id) == made


def test_an_apps_containers_cannot_become_anothers(store: SqliteStore, shop: App) -> None:
    _, web = release(store, shop)
    other = store.apps.create("other")
    with pytest.raises(NotFound):
        store.deploys.replace(start(store, other), [web])
    assert store.containers.of(shop.id)[0].role is ContainerRole.CURRENT


def test_containers_are_ordered_by_type_and_slot(store: SqliteStore, shop: App) -> None:
    deploy = start(store, shop)
    for name, slot in (("worker", 1), ("web", 10), ("web", 2)):
        store.containers.reserve(shop, deploy, name, slot, 5000)
    assert [row.process for row in store.containers.of(shop.id)] == ["web.2", "web.10", "worker.1"]


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=60))
def test_no_address_is_ever_given_twice(steps: list[tuple[int, int]]) -> None:
    with TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        apps = [store.apps.create(f"app{n}") for n in range(3)]
        deploys = [start(store, app) for app in apps]
        held: list[Container] = []
        for index, step in steps:
            if step < len(held):
                store.containers.forget(held.pop(step))
            elif len([c for c in held if c.app_id == apps[index].id]) < 29:
                slot = 1 + max((c.slot for c in held), default=0)
                held.append(
                    store.containers.reserve(apps[index], deploys[index], "web", slot, 5000)
                )
        addresses = [container.address for container in held]
        store.close()
        assert len(addresses) == len(set(addresses))
        subnets = {app.id: Settings().subnet(app.network_index) for app in apps}
        for container in held:
            hosts = [str(host) for host in subnets[container.app_id].hosts()]
            assert container.address in hosts[1:]
