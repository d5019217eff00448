import pytest

from paas.errors import InvalidName
from paas.model import CONFIG_VALUE_BYTES, App
from paas.state.store import SqliteStore


def test_values_come_back_byte_for_byte(store: SqliteStore, shop: App) -> None:
    values = {"A": "", "B": " $HOME 'x' \"y\"\n\ttwo", "C": "caf\u00e9 \U0001f600", "D": "x=y=z"}
    store.config.change(shop.id, values)
    assert store.config.get(shop.id) == values


def test_set_and_remove_happen_at_once(store: SqliteStore, shop: App) -> None:
    store.config.change(shop.id, {"OLD": "1", "KEPT": "1"})
    store.config.change(shop.id, {"NEW": "1", "KEPT": "2"}, remove=["OLD", "NEVER_SET"])
    assert store.config.get(shop.id) == {"KEPT": "2", "NEW": "1"}


@pytest.mark.parametrize("key", ["PORT", "PAAS_X", "DOCKER_HOST", "1A", "A-B", "A\n", ""])
def test_a_bad_key_is_refused(store: SqliteStore, shop: App, key: str) -> None:
    with pytest.raises(InvalidName):
        store.config.change(shop.id, {"GOOD": "1", key: "1"})
    assert store.config.get(shop.id) == {}


@pytest.mark.parametrize("value", ["a\0b", "\udcff", "x" * (CONFIG_VALUE_BYTES + 1)])
def test_a_bad_value_is_refused_and_not_shown(store: SqliteStore, shop: App, value: str) -> None:
    with pytest.raises(InvalidName) as caught:
        store.config.change(shop.id, {"KEY": value})
    assert value not in caught.value.message + caught.value.hint
    assert store.config.get(shop.id) == {}


def test_the_sum_of_all_values_has_a_limit(store: SqliteStore, shop: App) -> None:
    largest = "x" * CONFIG_VALUE_BYTES
    store.config.change(shop.id, {f"KEY_{n}": largest for n in range(15)})
    with pytest.raises(InvalidName, match="more than"):
        store.config.change(shop.id, {"KEY_15": largest})
    assert len(store.config.get(shop.id)) == 15


def test_a_preview_stores_nothing(store: SqliteStore, shop: App) -> None:
    store.config.change(shop.id, {"B": "1", "C": "1"})
    assert store.config.preview(shop.id, {"A": "2"}, ["C"]) == {"A": "2", "B": "1"}
    assert store.config.get(shop.id) == {"B": "1", "C": "1"}
