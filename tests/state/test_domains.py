import pytest

from paas.errors import Conflict, InvalidName, NotFound
from paas.model import App
from paas.state.store import SqliteStore


def test_domains_keep_the_order_in_which_they_were_added(store: SqliteStore, shop: App) -> None:
    store.domains.change(shop.id, add=["z.example.org", "a.example.org"])
    store.domains.change(shop.id, add=["M.example.org.", "a.example.org"], remove=["z.example.org"])
    assert store.domains.list(shop.id) == ("a.example.org", "m.example.org")


def test_a_domain_belongs_to_one_app(store: SqliteStore, shop: App) -> None:
    other = store.apps.create("other")
    store.domains.change(shop.id, add=["shop.example.org"])
    with pytest.raises(Conflict, match="belongs to another app"):
        store.domains.change(other.id, add=["new.example.org", "SHOP.example.org"])
    assert store.domains.list(other.id) == ()


@pytest.mark.parametrize("domain", ["other.paas.localhost", "a.b.paas.localhost"])
def test_names_under_the_default_domain_stay_with_their_apps(
    store: SqliteStore, shop: App, domain: str
) -> None:
    with pytest.raises(Conflict, match=r"under paas\.localhost"):
        store.domains.change(shop.id, add=[domain])


def test_an_app_may_name_its_own_default_domain(store: SqliteStore, shop: App) -> None:
    store.domains.change(shop.id, add=["shop.paas.localhost", "notpaas.localhost"])
    assert store.domains.list(shop.id) == ("shop.paas.localhost", "notpaas.localhost")


def test_removing_what_was_not_added_changes_nothing(store: SqliteStore, shop: App) -> None:
    store.domains.change(shop.id, add=["shop.example.org"])
    with pytest.raises(NotFound):
        store.domains.change(shop.id, remove=["shop.example.org", "other.example.org"])
    assert store.domains.list(shop.id) == ("shop.example.org",)


@pytest.mark.parametrize("domain", ["*.org", "http://x.org", "x.org/path", "a b.org", ""])
def test_what_is_no_host_name_is_refused(store: SqliteStore, shop: App, domain: str) -> None:
    with pytest.raises(InvalidName):
        store.domains.change(shop.id, add=[domain])
