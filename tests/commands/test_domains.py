import json
from dataclasses import replace

import pytest

from paas import vhosts
from paas.model import App
from tests.commands.conftest import Person

DEFAULT = "shop.paas.localhost"


def test_an_added_domain_is_served_at_once(paas: Person, shop: App) -> None:
    typed = paas("domains:add", "shop", "www.Example.org", "example.org")
    assert typed.status == 0
    assert "http://www.example.org" in typed.out
    assert paas.proxy.sites["shop"].domains == (DEFAULT, "www.example.org", "example.org")


def test_set_replaces_and_remove_removes(paas: Person, shop: App) -> None:
    paas("domains:add", "shop", "a.example.org", "b.example.org")
    assert paas("domains:set", "shop", "c.example.org", "b.example.org").status == 0
    assert paas("domains:report", "shop", "--domains-app-vhosts").out == (
        "c.example.org b.example.org\n"
    )
    assert paas("domains:remove", "shop", "c.example.org").status == 0
    assert paas.proxy.sites["shop"].domains == (DEFAULT, "b.example.org")


def test_domains_that_nginx_refuses_are_not_kept(paas: Person, shop: App) -> None:
    paas("domains:add", "shop", "z.example.org", "a.example.org")
    paas.proxy.is_down = True
    typed = paas("domains:set", "shop", "bad.example.org")
    assert typed.status == 75
    assert paas.store.domains.list(shop.id) == ("z.example.org", "a.example.org")
    assert "bad.example.org" not in paas.proxy.sites["shop"].domains


def test_a_domain_of_another_app_is_refused(paas: Person, shop: App) -> None:
    paas("apps:create", "other")
    paas("domains:add", "shop", "example.org")
    assert paas("domains:add", "other", "example.org").status == 1
    assert paas("domains:add", "other", DEFAULT).status == 1
    assert paas("domains:remove", "other", "example.org").status == 20


def test_only_an_admin_gives_the_platform_s_own_domain_to_an_app(paas: Person, shop: App) -> None:
    paas.user("ben", "owner", "shop")
    typed = paas.typing("ben", "domains:add", "shop", "Paas.localhost.")
    assert (typed.status, paas.store.domains.list(shop.id)) == (1, ())
    assert "the platform's own domain" in typed.err
    assert paas.over_ssh("domains:add", "shop", "paas.localhost").status == 0


@pytest.mark.parametrize(
    "name",
    ["example.org", ".apps.example.org", "*.example.org", "localhost", "203.0.113.7", "127.1"],
)
def test_names_above_all_apps_and_of_the_host_are_given_by_admins(
    paas: Person, shop: App, name: str
) -> None:
    assert paas("domains:set-global", "of.apps.example.org").status == 0
    paas.user("ben", "owner", "shop")
    assert paas.typing("ben", "domains:add", "shop", name).status == 1
    assert paas.store.domains.list(shop.id) == ()
    assert paas.typing("ben", "domains:add", "shop", "shop.example.org").status == 0


def test_a_name_that_became_another_app_s_is_served_by_that_one_alone(
    paas: Person, shop: App
) -> None:
    paas("domains:add", "shop", "blog.example.org")
    moved = replace(paas.platform, settings=replace(paas.settings, domain="example.org"))
    assert vhosts.domains_of(moved, shop) == ("shop.example.org",)
    blog = paas.push("blog")
    assert vhosts.domains_of(moved, blog) == ("blog.example.org",)


def test_before_the_first_push_nothing_is_published(paas: Person) -> None:
    paas("apps:create", "new")
    assert paas("domains:add", "new", "example.org").status == 0
    assert paas.proxy.sites == {}
    assert paas.push("new").version == 1
    assert "example.org" in paas.proxy.sites["new"].domains


def test_while_somebody_deploys_domains_are_left_alone(paas: Person, shop: App) -> None:
    with paas.platform.locks.app(shop.id, "ben", "push"):
        typed = paas("domains:add", "shop", "example.org")
    assert typed.status == 1
    assert "push by ben" in typed.err
    assert paas.store.domains.list(shop.id) == ()


def test_the_report_has_the_default_and_the_added_ones(paas: Person, shop: App) -> None:
    paas("domains:add", "shop", "example.org")
    values = json.loads(paas("domains:report", "shop", "--format", "json").out)
    assert values["default-vhost"] == DEFAULT
    assert values["app-vhosts"] == ["example.org"]
    assert values["urls"] == [f"http://{DEFAULT}", "http://example.org"]
    assert json.loads(paas("domains:report", "--format", "json").out) == {"shop": values}
