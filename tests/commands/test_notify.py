import socket
from dataclasses import replace

import pytest

from paas.model import App
from tests.commands.conftest import Person

HOOK = "https://example.org/hook"
INSIDE = ("http://127.0.0.1/x", "http://10.0.0.8/x", "http://[::1]/x", "http://[fd00::1]:8080/x")
METADATA = ("http://169.254.169.254/latest", "http://[fe80::1]/x")


def test_an_app_s_url_is_set_shown_and_cleared(paas: Person, shop: App) -> None:
    assert HOOK in paas.over_ssh("notify:set", "shop", HOOK).out
    assert paas("notify:report", "shop", "--notify-url").out == f"{HOOK}\n"
    assert "nowhere" in paas("notify:set", "shop", "").out
    assert paas("notify:report", "shop", "--notify-url").out == "\n"


def test_the_secret_is_shown_to_root_only(paas: Person, shop: App) -> None:
    paas("notify:set", "shop", HOOK)
    secret = paas("notify:report", "shop", "--notify-secret").out.strip()
    assert len(secret) > 30
    assert secret in paas("notify:report").out
    assert secret not in paas.over_ssh("notify:report").out
    assert secret not in paas.over_ssh("notify:report", "shop", "--format", "json").out


def test_what_holds_for_all_apps_is_root_s(paas: Person, shop: App) -> None:
    assert paas.over_ssh("notify:set", "--global", HOOK).status == 1
    assert paas("notify:report", "--global", "--notify-global-url").out == "\n"
    assert paas("notify:set", "--global", HOOK).status == 0
    assert paas("notify:report", "shop", "--notify-global-url").out == f"{HOOK}\n"


def test_mistakes_are_told(paas: Person, shop: App) -> None:
    assert paas("notify:set", "shop").status == 2
    assert paas("notify:set", "shop", "gopher://example.org").status == 2
    assert paas("notify:set", "nothing", HOOK).status == 20
    assert paas("notify:report", "shop", "--global").status == 2


@pytest.mark.parametrize("url", [*INSIDE, *METADATA])
def test_an_address_inside_is_refused_when_it_is_set(paas: Person, shop: App, url: str) -> None:
    typed = paas("notify:set", "shop", url)
    assert typed.status == 2
    assert "not a public address" in typed.err
    assert "notify_private = true" in typed.err
    assert paas("notify:set", "--global", url).status == 2
    assert paas("notify:report", "shop", "--notify-url").out == "\n"


def test_the_host_s_owner_may_allow_those_inside_but_no_metadata(paas: Person, shop: App) -> None:
    paas.settings = replace(paas.settings, notify_private=True)
    assert [paas("notify:set", "shop", url).status for url in INSIDE] == [0] * len(INSIDE)
    assert [paas("notify:set", "shop", url).status for url in METADATA] == [2] * len(METADATA)


def test_a_name_that_leads_inside_is_refused_and_one_without_address_is_a_doubt(
    paas: Person, shop: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.0.0.8", 80))])
    assert "10.0.0.8" in paas("notify:set", "shop", "http://inside.example.org/").err
    monkeypatch.undo()
    typed = paas("notify:set", "shop", "http://nowhere.invalid/")
    assert (typed.status, "no address" in typed.err) == (0, True)
