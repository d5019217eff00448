"""Global domains, wildcards, and taking an app off its domains."""

import json

import pytest

from paas.model import App
from tests.commands.conftest import Person

DEFAULT = "shop.paas.localhost"


def served(paas: Person) -> tuple[str, ...]:
    return paas.proxy.sites["shop"].domains


def test_each_app_answers_under_each_global_domain(paas: Person, shop: App) -> None:
    typed = paas("domains:add-global", "apps.example.org")
    assert typed.status == 0, typed.err
    assert served(paas) == (DEFAULT, "shop.apps.example.org")
    assert paas("domains:set-global", "new.example.org").status == 0
    assert served(paas) == ("shop.new.example.org",)
    assert paas("domains:remove-global", "other.example.org").status == 20
    assert paas("domains:report", "--global", "--domains-global-vhosts").out == "new.example.org\n"
    assert paas("domains:set-global", "paas.localhost").status == 0
    assert served(paas) == (DEFAULT,)


def test_without_a_global_domain_only_added_ones_count(paas: Person, shop: App) -> None:
    paas("domains:add", "shop", "shop.example.org")
    assert paas("domains:clear-global").status == 0
    assert served(paas) == ("shop.example.org",)
    assert paas("domains:clear", "shop").status == 0
    assert "shop" not in paas.proxy.sites
    assert paas("url", "shop").status == 1
    assert paas.push("shop", "web: new").version == 2


def test_a_name_under_a_global_domain_is_kept_for_its_app(paas: Person, shop: App) -> None:
    paas("domains:add", "shop", "blog.example.org")
    refused = paas("domains:add-global", "example.org")
    assert refused.status == 1
    assert "shop has blog.example.org" in refused.err
    paas("domains:set", "shop", "shop.example.org")
    assert paas("domains:add-global", "example.org").status == 0
    assert paas("domains:add", "shop", "blog.example.org").status == 1


def test_global_domains_that_nginx_refuses_are_not_kept(paas: Person, shop: App) -> None:
    paas.proxy.is_down = True
    assert paas("domains:add-global", "example.org").status == 75
    paas.proxy.is_down = False
    assert paas("domains:report", "--global", "--domains-global-vhosts").out == "paas.localhost\n"


def test_a_wildcard_covers_what_nobody_else_has(paas: Person, shop: App) -> None:
    paas.push("blog")
    assert paas("domains:add", "shop", ".shop.example.org").status == 0
    assert served(paas) == (DEFAULT, "shop.example.org", "*.shop.example.org")
    assert "*" not in paas("urls", "shop").out
    for domain in ("www.shop.example.org", "*.www.shop.example.org", "*.example.org"):
        assert paas("domains:add", "blog", domain).status == 1
    assert paas("domains:add", "shop", "www.shop.example.org").status == 0
    assert paas("domains:remove", "shop", ".shop.example.org").status == 0


@pytest.mark.parametrize("domain", ["*.paas.localhost", "*.localhost", "*.x.paas.localhost"])
def test_no_wildcard_takes_the_names_of_apps_to_come(paas: Person, shop: App, domain: str) -> None:
    assert paas("domains:add", "shop", domain).status in {1, 2}
    assert paas.store.domains.list(shop.id) == ()


def test_a_disabled_app_is_served_nowhere_until_it_is_enabled(paas: Person, shop: App) -> None:
    paas("domains:add", "shop", "shop.example.org")
    assert paas("domains:disable", "shop").status == 0
    assert "shop" not in paas.proxy.sites
    assert paas.push("shop", "web: new").version == 2
    assert "shop" not in paas.proxy.sites
    values = json.loads(paas("domains:report", "shop", "--format", "json").out)
    assert (values["app-enabled"], values["urls"]) == (False, [])
    assert paas("domains:enable", "shop").status == 0
    assert served(paas) == (DEFAULT, "shop.example.org")
    paas("domains:disable", "shop")
    paas("domains:reset", "shop")
    assert served(paas) == (DEFAULT,)


def test_all_apps_can_be_disabled_at_once(paas: Person, shop: App) -> None:
    paas.push("blog")
    assert paas("domains:disable", "--all").status == 0
    assert paas.proxy.sites == {}
    assert paas("domains:enable").status == 2
    assert paas("domains:enable", "--all", "shop").status == 2
    assert paas("domains:enable", "missing").status == 20


def test_the_domain_verbs_of_all_apps_are_for_admins(paas: Person) -> None:
    for verb in ("add-global", "remove-global", "set-global"):
        assert paas(f"domains:{verb}", "a b").status == 2
