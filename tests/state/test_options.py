import pytest

from paas.errors import InvalidName
from paas.model import App, SecurityOptions
from paas.state.store import SqliteStore


def test_a_new_app_has_the_hardened_profile(store: SqliteStore, shop: App) -> None:
    assert store.security.get(shop.id) == SecurityOptions()


def test_loosened_walls_come_back(store: SqliteStore, shop: App) -> None:
    options = SecurityOptions(writable_root=True, tmpfs={"/var/lib/x": 1024}, memory=2**30)
    store.security.set(shop.id, options)
    assert store.security.get(shop.id) == options
    store.security.set(shop.id, SecurityOptions())
    assert store.security.get(shop.id) == SecurityOptions()


def test_only_what_was_loosened_is_stored(store: SqliteStore, shop: App) -> None:
    store.security.set(shop.id, SecurityOptions(pids=512))
    row = store._database.row("SELECT options FROM security")
    assert row is not None
    assert row["options"] == '{"pids": 512}'


def test_the_formation_keeps_what_is_not_named(store: SqliteStore, shop: App) -> None:
    store.formation.set(shop.id, {"web": 2, "worker": 1})
    store.formation.set(shop.id, {"worker": 0})
    assert store.formation.get(shop.id) == {"web": 2, "worker": 0}


@pytest.mark.parametrize("quantities", [{"web": -1}, {"web": 30}, {"Web": 1}])
def test_an_impossible_formation_is_refused(
    store: SqliteStore, shop: App, quantities: dict[str, int]
) -> None:
    with pytest.raises(InvalidName):
        store.formation.set(shop.id, {"worker": 1, **quantities})
    assert store.formation.get(shop.id) == {}


def test_global_properties_are_not_an_apps(store: SqliteStore, shop: App) -> None:
    store.properties.set(None, "nginx", "size", "1m")
    store.properties.set(None, "nginx", "size", "2m")
    store.properties.set(shop.id, "nginx", "size", "3m")
    assert store.properties.get(None, "nginx") == {"size": "2m"}
    assert store.properties.get(shop.id, "nginx") == {"size": "3m"}


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_value_clears(store: SqliteStore, shop: App, empty: str | None) -> None:
    store.properties.set(shop.id, "git", "branch", "main")
    store.properties.set(shop.id, "git", "branch", empty)
    assert store.properties.get(shop.id, "git") == {}
