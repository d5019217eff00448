import pytest

from paas.errors import Conflict, InvalidName, NotFound
from paas.model import App, Desired
from paas.state import apps
from paas.state.store import SqliteStore
from tests.builders import make_container, release


def test_a_created_app_can_be_found_by_name_and_by_id(store: SqliteStore, shop: App) -> None:
    assert store.apps.get("shop") == shop == store.apps.by_id(shop.id)
    assert shop.desired is Desired.RUNNING
    assert shop.version is None
    assert shop.uid == 200_000 + shop.id


def test_a_name_is_given_once(store: SqliteStore, shop: App) -> None:
    with pytest.raises(Conflict, match="Name is already taken"):
        store.apps.create(shop.name)


@pytest.mark.parametrize("name", ["Shop", "shop\n", "paas", "a--b", "", "x" * 41])
def test_a_bad_name_is_refused(store: SqliteStore, name: str) -> None:
    with pytest.raises(InvalidName):
        store.apps.create(name)
    assert store.apps.list() == ()


def test_a_missing_app_exits_20_and_names_the_nearest(store: SqliteStore, shop: App) -> None:
    with pytest.raises(NotFound, match=r"^App shpo does not exist$") as caught:
        store.apps.get("shpo")
    assert caught.value.exit_status == 20
    assert shop.name in caught.value.hint


@pytest.mark.parametrize("name", ["\udcff", "caf\u00e9", "a\x1b[2J", "'; DROP TABLE apps; --"])
def test_a_hostile_name_is_only_a_missing_app(store: SqliteStore, name: str) -> None:
    with pytest.raises(NotFound) as caught:
        store.apps.get(name)
    assert caught.value.message.isprintable()


def test_apps_are_listed_by_name(store: SqliteStore) -> None:
    for name in ("zoo", "api", "mid"):
        store.apps.create(name)
    assert [app.name for app in store.apps.list()] == ["api", "mid", "zoo"]


def test_an_id_is_never_used_again_but_a_network_is(store: SqliteStore) -> None:
    first, second = store.apps.create("one"), store.apps.create("two")
    store.apps.destroy(second.id)
    store.apps.destroy(first.id)
    third = store.apps.create("three")
    assert third.id > second.id
    assert third.network_index == first.network_index == 0
    assert store.apps.create("four").network_index == 1


def test_an_app_beyond_the_last_network_is_refused(
    store: SqliteStore, shop: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps, "NETWORKS", 1)
    with pytest.raises(Conflict, match="networks are taken"):
        store.apps.create("second")
    assert store.apps.list() == (shop,)


def test_desired_state_and_deploy_branch_are_kept(store: SqliteStore, shop: App) -> None:
    store.apps.set_desired(shop.id, Desired.STOPPED)
    store.apps.set_deploy_branch(shop.id, "main")
    now = store.apps.get("shop")
    assert (now.desired, now.deploy_branch) == (Desired.STOPPED, "main")


def test_nothing_of_a_destroyed_app_is_left(store: SqliteStore, shop: App) -> None:
    made, _ = release(store, shop, {"KEY": "value"})
    make_container(store, shop, made.deploy_id, "worker")
    store.domains.change(shop.id, add=["shop.example.org"])
    store.formation.set(shop.id, {"web": 2})
    store.properties.set(shop.id, "git", "branch", "main")
    store.apps.destroy(shop.id)
    tables = ["config", "domains", "deploys", "releases", "containers", "formation", "properties"]
    counts = {t: store._database.rows(f"SELECT * FROM {t}") for t in tables}
    assert counts == {table: [] for table in tables}


def test_a_change_to_a_destroyed_app_is_not_found(store: SqliteStore, shop: App) -> None:
    store.apps.destroy(shop.id)
    with pytest.raises(NotFound):
        store.config.change(shop.id, {"KEY": "value"})
    with pytest.raises(NotFound):
        store.apps.set_desired(shop.id, Desired.STOPPED)


@pytest.mark.parametrize(
    ("typed", "meant"), [("shpo", "shop"), ("shop-api", None), ("blog", None), ("shop2", None)]
)
def test_only_a_slip_of_the_hand_is_taken_for_one(typed: str, meant: str | None) -> None:
    assert apps.nearest_name(typed, ["shop", "shop1"]) == meant
