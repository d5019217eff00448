"""nginx:*, proxy:*, maintenance:*, url and urls."""

import json

import pytest

from paas.model import App
from paas.site_logs import access_log, error_log
from tests.commands.conftest import Person


def options(paas: Person) -> dict[str, str]:
    return dict(paas.proxy.sites["shop"].options)


def test_a_property_is_served_at_once_and_can_be_cleared(paas: Person, shop: App) -> None:
    assert paas("nginx:set", "shop", "client-max-body-size", "20m").status == 0
    assert options(paas) == {"client-max-body-size": "20m"}
    assert paas("nginx:set", "shop", "hsts", "false").status == 0
    assert options(paas)["hsts"] == "off"
    paas("nginx:set", "shop", "hsts", "")
    paas("nginx:set", "shop", "client-max-body-size")
    assert options(paas) == {}


def test_a_global_value_holds_where_an_app_has_none(paas: Person, shop: App) -> None:
    paas.push("blog")
    paas("nginx:set", "shop", "gzip", "on")
    typed = paas("nginx:set", "--global", "gzip", "off")
    assert typed.status == 0, typed.err
    assert paas.proxy.sites["blog"].options == {"gzip": "off"}
    assert options(paas) == {"gzip": "on"}
    values = json.loads(paas("nginx:report", "shop", "--format", "json").out)
    got = [values[key] for key in ("gzip", "global-gzip", "computed-gzip")]
    assert got == ["on", "off", "on"]
    assert paas("nginx:report", "blog", "--nginx-computed-gzip").out == "off\n"
    assert paas("nginx:report", "blog", "--nginx-gzip").out == "\n"


def test_what_nginx_refuses_is_not_kept(paas: Person, shop: App) -> None:
    paas("nginx:set", "shop", "gzip", "off")
    paas.proxy.is_down = True
    assert paas("nginx:set", "shop", "gzip", "on").status == 75
    assert paas("nginx:set", "--global", "gzip", "on").status == 75
    assert paas("maintenance:on", "shop").status == 75
    assert paas("proxy:disable", "shop").status == 75
    assert paas.store.properties.get(shop.id, "nginx") == {"gzip": "off"}
    assert paas.store.properties.get(None, "nginx") == {}
    assert paas.store.properties.get(shop.id, "proxy") == {}


@pytest.mark.parametrize(
    "words",
    [
        ("gzip", "on;"),
        ("root", "/etc"),
        ("underscore-in-headers", "on"),
        ("access-log-path", "/etc/passwd"),
        ("client-max-body-size", "20m; root /"),
        (),
        ("gzip", "on", "off"),
    ],
)
def test_what_cannot_be_set_is_a_usage_error(
    paas: Person, shop: App, words: tuple[str, ...]
) -> None:
    typed = paas("nginx:set", "shop", *words)
    assert typed.status == 2
    assert paas.store.properties.get(shop.id, "nginx") == {}


def test_show_config_prints_what_is_served(paas: Person, shop: App) -> None:
    assert "server_name shop.paas.localhost;" in paas("nginx:show-config", "shop").out
    paas("apps:create", "new")
    assert paas("nginx:show-config", "new").status == 1
    assert paas("nginx:validate-config").status == 0
    paas.proxy.is_down = True
    assert paas("nginx:validate-config", "shop").status == 75


def test_logs_show_the_last_lines_without_what_steers_a_terminal(paas: Person, shop: App) -> None:
    for verb, path in (("access-logs", access_log), ("error-logs", error_log)):
        assert paas(f"nginx:{verb}", "shop").out == ""
        file = path(paas.settings, "shop")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("one\ntwo\x1b[2J\nthree\n")
        assert paas(f"nginx:{verb}", "shop", "-n", "2").out == "two\nthree\n"
        assert paas(f"nginx:{verb}", "missing").status == 20


def test_maintenance_is_served_and_reported(paas: Person, shop: App) -> None:
    assert paas("maintenance:on", "shop").status == 0
    assert options(paas) == {"maintenance": "on"}
    assert paas("maintenance:report", "shop", "--maintenance-enabled").out == "true\n"
    assert paas("maintenance:off", "shop").status == 0
    assert options(paas) == {}
    paas("maintenance:enable", "shop")
    paas("maintenance:disable", "shop")
    assert json.loads(paas("maintenance:report", "--format", "json").out) == {
        "shop": {"enabled": False}
    }


def test_a_disabled_proxy_serves_nothing(paas: Person, shop: App) -> None:
    assert paas("proxy:disable", "shop").status == 0
    assert paas.proxy.sites == {}
    assert paas("proxy:report", "shop", "--proxy-enabled").out == "false\n"
    assert paas("proxy:enable", "--all").status == 0
    assert "shop" in paas.proxy.sites
    assert paas("proxy:report", "shop", "--proxy-computed-type").out == "nginx\n"


def test_there_is_no_other_proxy(paas: Person, shop: App) -> None:
    assert paas("proxy:set", "shop", "type", "nginx").status == 0
    assert paas("proxy:set", "--global", "type", "caddy").status == 2
    typed = paas("proxy:set", "shop", "proxy-port", "8080")
    assert typed.status == 2
    assert "http_port" in typed.err


def test_build_config_writes_what_was_lost(paas: Person, shop: App) -> None:
    paas.proxy.withdraw("shop")
    assert paas("proxy:build-config", "--all").status == 0
    assert "shop" in paas.proxy.sites


def test_url_is_the_first_of_urls(paas: Person, shop: App) -> None:
    paas("domains:add", "shop", "www.example.org")
    assert paas("url", "shop").out == "http://shop.paas.localhost\n"
    assert paas("urls", "shop").out == "http://shop.paas.localhost\nhttp://www.example.org\n"
    assert paas("url", "missing").status == 20
