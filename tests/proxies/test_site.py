"""The rendered files, and the table of options."""

import dataclasses
from pathlib import Path

import pytest

from paas.errors import InvalidName, UsageError
from paas.model import Certificate
from paas.nginx_options import OPTIONS, REFUSED, check_option, parse_option
from paas.proxies import site as module
from paas.proxies.base import Site
from paas.proxies.site import DEFAULT_SERVER, LIMITS, Sites
from paas.settings import Settings
from tests.conftest import Golden

GOLDEN = Path(__file__).parent.parent / "golden"
OTHERS = {
    "access-log-format": "combined",
    "client-max-body-size": "30m",
    "proxy-buffers": "4 32k",
    "proxy-busy-buffers-size": "32k",
    "x-forwarded-for-value": "$http_x_forwarded_for",
    "x-forwarded-port-value": "$http_x_forwarded_port",
    "x-forwarded-proto-value": "$http_x_forwarded_proto",
    "x-forwarded-ssl": "on",
}


@pytest.fixture
def sites(monkeypatch: pytest.MonkeyPatch) -> Sites:
    monkeypatch.setattr(module, "IPV6", Path("/"))
    return Sites(Settings())


def test_a_site_renders_as_in_the_golden_file(sites: Sites, golden: Golden) -> None:
    domains, upstreams = ("shop.paas.localhost", "xn--bcher-kva.example"), ("10.214.0.1",)
    golden(GOLDEN / "site.conf", sites.render(Site("shop", domains, upstreams)))


def test_the_shared_files_render_as_in_the_golden_files(sites: Sites, golden: Golden) -> None:
    golden(GOLDEN / "paas.conf", sites.render_main(()))
    golden(GOLDEN / "default.conf", sites.render_default(()))


def test_a_site_with_a_certificate_renders_as_in_the_golden_file(
    sites: Sites, golden: Golden
) -> None:
    certificate = Certificate("", "", ("shop.example", "*.shop.example"))
    domains = ("shop.paas.localhost", "shop.example", "www.shop.example", "a.b.shop.example")
    site = Site("shop", domains, ("10.214.0.1",), certificate=certificate)
    golden(GOLDEN / "site-https.conf", sites.render(site))
    golden(GOLDEN / "default-https.conf", sites.render_default((), https=True))


def test_what_the_owner_has_himself_is_left_out(sites: Sites) -> None:
    assert "server_names_hash" not in sites.render_main(LIMITS)
    assert "default_server" not in sites.render_default([DEFAULT_SERVER])


def test_without_ipv6_nothing_listens_on_it(
    sites: Sites, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "IPV6", tmp_path / "missing")
    assert "[::]" not in sites.render(Site("shop", ("a.example",), ()))


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_accepts_its_default_and_changes_the_vhost(sites: Sites, name: str) -> None:
    assert check_option(name, OPTIONS[name].default) == OPTIONS[name].default
    other = OTHERS.get(name) or {"on": "off", "off": "on"}.get(OPTIONS[name].default)
    other = other or OPTIONS[name].default.replace("1", "2").replace("5", "7").replace("6", "7")
    other = other.replace("3", "4") if other == OPTIONS[name].default else other
    certificate = Certificate("", "", ("a.example",))
    plain = Site("shop", ("a.example",), ("10.214.0.1",), certificate=certificate)
    changed = dataclasses.replace(plain, options={name: other})
    assert sites.render(changed) != sites.render(plain)


def test_an_unknown_option_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError) as seen:
        check_option("root", "/etc")
    assert "client-max-body-size" in seen.value.hint


def test_a_root_with_odd_characters_cannot_get_into_a_file() -> None:
    odd = Sites(Settings(root=Path("/srv/a;b")))
    with pytest.raises(InvalidName):
        odd.render(Site("shop", ("a.example",), ()))


def test_a_template_of_the_owner_counts_from_the_next_refresh_until_he_removes_it(
    tmp_path: Path,
) -> None:
    sites, site = Sites(Settings(root=tmp_path)), Site("shop", ("a.example",), ("10.214.0.1",))
    shipped = sites.render(site)
    own = tmp_path / "nginx-templates" / "site.conf.j2"
    own.parent.mkdir()
    for text in ("# mine", "# mine, changed"):
        own.write_text(text)
        sites.refresh()
        assert sites.render(site) == text
    own.unlink()
    sites.refresh()
    assert sites.render(site) == shipped


@pytest.mark.parametrize("name", REFUSED)
def test_a_property_of_dokku_that_cannot_be_is_refused_with_its_reason(name: str) -> None:
    with pytest.raises(UsageError) as seen:
        parse_option(name, "on")
    assert REFUSED[name] in seen.value.message
    assert name not in OPTIONS


def test_dokkus_words_become_ours() -> None:
    assert parse_option("hsts", "true") == ("hsts", "on")
    assert parse_option("access-log-path", "off") == ("access-log", "off")
    assert parse_option("gzip", "") == ("gzip", "")
    for name, value in (("error-log-path", "/etc/passwd"), ("client-max-body-size", "true")):
        with pytest.raises(InvalidName):
            parse_option(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-forwarded-for-value", "$http_cookie"),
        ("x-forwarded-ssl", 'on"; return 200'),
        ("access-log-format", "combined; root /"),
        ("proxy-buffers", "8 16k;"),
        ("keepalive-timeout", "1"),
    ],
)
def test_a_value_that_is_not_of_its_form_gets_into_no_file(
    sites: Sites, name: str, value: str
) -> None:
    with pytest.raises(InvalidName):
        sites.render(Site("shop", ("a.example",), (), {name: value}))


def test_a_wildcard_is_a_domain(sites: Sites) -> None:
    text = sites.render(Site("shop", ("*.shop.example", "shop.example"), ()))
    assert "server_name *.shop.example shop.example;" in text
    with pytest.raises(InvalidName):
        sites.render(Site("shop", (".shop.example",), ()))
