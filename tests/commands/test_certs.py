"""certs:* as they are typed."""

import json
import re

import pytest

from paas.certificates import generate
from paas.model import App
from tests.commands.conftest import Person

DOMAIN = "shop.paas.localhost"
MIXED = f"{generate(DOMAIN).chain}{generate(DOMAIN).key}"
ONE = generate(DOMAIN)
GOOD = ONE.chain + ONE.key


def test_a_certificate_comes_on_stdin_and_is_served(paas: Person, shop: App) -> None:
    typed = paas("certs:add", "shop", text_in=GOOD)
    assert typed.status == 0, typed.err
    assert f"https://{DOMAIN}" in typed.out
    assert "self-signed" in typed.err
    assert paas.proxy.sites["shop"].certificate == paas.store.certificates.get(shop.id)
    assert paas("apps:report", "shop", "--app-urls").out.strip() == f"https://{DOMAIN}"


def test_one_for_other_domains_is_refused(paas: Person, shop: App) -> None:
    foreign = generate("elsewhere.example.org")
    typed = paas("certs:add", "shop", text_in=foreign.chain + foreign.key)
    assert typed.status == 1
    assert "no domain of shop" in typed.err
    assert paas.store.certificates.get(shop.id) is None


def test_when_nginx_is_down_the_old_one_stays(paas: Person, shop: App) -> None:
    paas("certs:add", "shop", text_in=GOOD)
    before = paas.store.certificates.get(shop.id)
    paas.proxy.is_down = True
    assert paas("certs:generate", "shop", DOMAIN).status != 0
    assert paas.store.certificates.get(shop.id) == before


def test_update_and_remove_want_one_that_is_there(paas: Person, shop: App) -> None:
    for argv in (("certs:update", "shop"), ("certs:remove", "shop"), ("certs:show", "shop", "crt")):
        typed = paas(*argv, text_in=GOOD)
        assert typed.status != 0
        assert "has no certificate" in typed.err


def test_remove_brings_http_back(paas: Person, shop: App) -> None:
    paas("certs:add", "shop", text_in=GOOD)
    assert paas("certs:remove", "shop").status == 0
    assert paas.proxy.sites["shop"].certificate is None


def test_the_report_tells_names_and_dates_but_no_key(paas: Person, shop: App) -> None:
    paas("certs:generate", "shop", DOMAIN)
    told = json.loads(paas("certs:report", "shop", "--format", "json").out)
    assert told["enabled"] is True
    assert told["hostnames"] == [DOMAIN]
    assert paas("certs:report", "shop", "--ssl-hostnames").out == f"{DOMAIN}\n"
    assert paas("certs:report", "shop", "--ssl-verified").out == "self signed\n"
    assert re.fullmatch(r"([0-9A-F]{2}:){31}[0-9A-F]{2}", told["fingerprint"])
    assert "shop ssl information" in paas("certs:report", "shop").out
    assert "PRIVATE" not in paas("certs:report", "shop").out
    assert paas("certs:show", "shop", "key").out.startswith("-----BEGIN PRIVATE KEY-----")


def test_generate_is_for_domains_of_the_app(paas: Person, shop: App) -> None:
    assert "not a domain of shop" in paas("certs:generate", "shop", "other.example.org").err


@pytest.mark.usefixtures("shop")
def test_files_of_the_host_are_for_root_alone(paas: Person) -> None:
    typed = paas.over_ssh("certs:add", "shop", "/etc/shadow")
    assert typed.status != 0
    assert "Only root" in typed.err


def test_a_chain_that_does_not_belong_to_the_key_is_refused(paas: Person, shop: App) -> None:
    assert "not of this private key" in paas("certs:add", "shop", text_in=MIXED).err
    assert paas.store.certificates.get(shop.id) is None
