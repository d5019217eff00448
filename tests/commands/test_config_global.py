"""config:* with --global and --merged: the vars of all apps below those of one."""

import json

from paas.model import App
from tests.commands.conftest import Person, started_with


def test_a_var_of_all_apps_reaches_each_next_release(paas: Person, shop: App) -> None:
    typed = paas("config:set", "--global", "REGION=eu", "DEBUG=0")
    assert typed.status == 0, typed.err
    assert "Not yet in: shop" in typed.out
    assert paas.store.apps.get("shop").version == 1
    paas("config:set", "shop", "DEBUG=1")
    assert started_with(paas) == {"DEBUG": "1", "REGION": "eu"}
    assert paas.store.config.get(shop.id) == {"DEBUG": "1"}
    paas.push("blog")
    assert started_with(paas) == {"DEBUG": "0", "REGION": "eu"}


def test_a_restart_takes_up_what_was_set_for_all(paas: Person, shop: App) -> None:
    paas("config:set", "--global", "REGION=eu")
    assert paas("ps:restart", "shop").status == 0
    assert started_with(paas) == {"REGION": "eu"}
    assert "Not yet in" not in paas("config:set", "--global", "REGION=eu").out
    paas("config:unset", "--global", "REGION")
    paas("ps:restart", "shop")
    assert started_with(paas) == {}


def test_a_rollback_brings_a_shared_var_back_without_pinning_it(paas: Person) -> None:
    paas("config:set", "--global", "REGION=eu")
    app = paas.push("shop")
    paas("config:set", "--global", "REGION=us")
    paas("config:set", "shop", "OWN=1")
    assert paas("releases:rollback", "shop", "v1").status == 0
    assert started_with(paas) == {"REGION": "eu"}
    assert paas.store.config.get(app.id) == {}
    paas("ps:restart", "shop")
    assert started_with(paas) == {"REGION": "us"}


def test_merged_shows_what_the_next_release_gets(paas: Person, shop: App) -> None:
    paas("config:set", "--global", "A=all", "B=all")
    paas("config:set", "--no-restart", "shop", "B=own")
    shown = json.loads(paas("config:show", "--merged", "--format", "json", "shop").out)
    assert shown == {"A": "all", "B": "own"}
    assert json.loads(paas("config:show", "--format", "json", "shop").out) == {"B": "own"}
    assert paas("config:keys", "--merged", "--quiet", "shop").out == "A\nB\n"
    assert paas("config:keys", "--global", "--quiet").out == "A\nB\n"
    assert paas("config:get", "--global", "B").out == "all\n"
    assert paas("config:get", "shop", "A").status == 1


def test_clear_removes_all_of_an_app_and_nothing_else(paas: Person, shop: App) -> None:
    paas("config:set", "--global", "A=all")
    paas("config:set", "shop", "B=1", "C=2")
    assert paas("config:clear", "shop").status == 0
    assert started_with(paas) == {"A": "all"}
    assert paas.store.config.get(None) == {"A": "all"}
    assert paas("config:clear", "--global").status == 0
    assert paas.store.config.get(None) == {}


def test_without_an_app_and_without_global_it_is_a_usage_error(paas: Person) -> None:
    for verb in ("set", "unset", "get", "show", "keys", "clear", "export", "bundle", "import"):
        assert paas(f"config:{verb}").status == 2
    assert paas("config:set", "--global").status == 2
    assert paas("config:set", "--global", "PORT=1").status == 2


def test_what_all_apps_have_in_common_is_small(paas: Person) -> None:
    large = "".join(f"KEY{number}={'x' * 40_000}\n" for number in range(2))
    typed = paas("config:import", "--global", "-", text_in=large)
    assert typed.status == 2
    assert paas.store.config.get(None) == {}


def test_a_quoted_value_can_be_typed_into_a_shell(paas: Person, shop: App) -> None:
    paas("config:set", "--no-restart", "shop", "KEY=it's $HOME")
    assert paas("config:get", "--quoted", "shop", "KEY").out == "'it'\\''s $HOME'\n"
