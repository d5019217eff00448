from paas.model import App
from tests.commands.conftest import Person

HOOK = "https://example.org/hook"


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
