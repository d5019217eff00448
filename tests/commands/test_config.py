import json
import sys

import pytest

from paas.model import App
from tests.commands.conftest import Person, started_with
from tests.fakes.engine import Program


def test_a_set_value_reaches_a_new_release_and_is_never_echoed(paas: Person, shop: App) -> None:
    typed = paas("config:set", "shop", "SECRET_KEY=hunter22", "DEBUG=")
    assert typed.status == 0, typed.err
    assert "SECRET_KEY DEBUG" in typed.out
    assert "hunter22" not in typed.out + typed.err
    assert paas.store.apps.get("shop").version == 2
    assert started_with(paas) == {"DEBUG": "", "SECRET_KEY": "hunter22"}
    assert paas("config:get", "shop", "SECRET_KEY").out == "hunter22\n"


def test_a_key_that_cannot_be_set_is_refused_before_a_deploy_begins(
    paas: Person, shop: App
) -> None:
    deploys = paas("deploys:list", "shop").out
    assert paas("config:set", "shop", "1A=2").status == 2
    assert paas("deploys:list", "shop").out == deploys


def test_before_the_first_push_a_value_is_only_stored(paas: Person) -> None:
    paas("apps:create", "new")
    typed = paas("config:set", "new", "KEY=value")
    assert typed.status == 0
    assert "Stored" in typed.out
    assert paas("config:get", "new", "KEY").out == "value\n"
    assert paas.scheduler.started == []


def test_no_restart_stores_for_the_next_release(paas: Person, shop: App) -> None:
    assert paas("config:set", "--no-restart", "shop", "KEY=value").status == 0
    assert paas.store.apps.get("shop").version == 1
    assert paas("ps:restart", "shop").status == 0
    assert started_with(paas) == {"KEY": "value"}


def test_a_value_that_breaks_the_app_changes_nothing(paas: Person, shop: App) -> None:
    before = dict(paas.proxy.routes)
    paas.scheduler.programs["serve"] = Program(stderr=("bad KEY",), exit_code=3)
    typed = paas("config:set", "shop", "KEY=hunter22")
    assert typed.status == 1
    assert "exited with code 3" in typed.err
    assert "hunter22" not in typed.out + typed.err
    assert paas("config:get", "shop", "KEY").status == 1
    assert (paas.store.apps.get("shop").version, paas.proxy.routes) == (1, before)


def test_a_missing_key_exits_1_with_nothing_on_stdout(paas: Person, shop: App) -> None:
    typed = paas("config:get", "shop", "MISSING")
    assert (typed.status, typed.out) == (1, "")
    assert "MISSING is not set for shop" in typed.err


@pytest.mark.parametrize(
    "pairs", [(), ("SECRET hunter22",), ("PORT=hunter22",), ("A-B=hunter22",), ("K=ok", "hunter22")]
)
def test_a_bad_pair_is_a_usage_error_that_shows_no_value(
    paas: Person, shop: App, pairs: tuple[str, ...]
) -> None:
    typed = paas("config:set", "shop", *pairs)
    assert typed.status == 2
    assert "hunter22" not in typed.out + typed.err
    assert paas.store.config.get(shop.id) == {}


def test_values_survive_as_they_were_typed(paas: Person, shop: App) -> None:
    value = " a=b 'c' \"d\" $HOME\n-e \x1b[31m\x07"
    assert paas("config:set", "shop", f"KEY={value}").status == 0
    assert paas("config:get", "shop", "KEY").out == f"{value}\n"


def test_a_terminal_is_not_steered_by_a_value(
    paas: Person, shop: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    paas("config:set", "shop", "KEY=a\x1b[31mb")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert paas("config:get", "shop", "KEY").out == "ab\n"


def test_encoded_values_are_decoded(paas: Person, shop: App) -> None:
    assert paas("config:set", "--encoded", "shop", "KEY=bGluZTEKbGluZTIK").status == 0
    assert paas("config:get", "shop", "KEY").out == "line1\nline2\n\n"
    refused = paas("config:set", "--encoded", "shop", "KEY=hunter22!")
    assert refused.status == 2
    assert "hunter22" not in refused.err


def test_unset_removes_and_says_what_was_not_set(paas: Person, shop: App) -> None:
    paas("config:set", "shop", "ONE=1", "TWO=2")
    typed = paas("config:unset", "shop", "ONE", "NEVER")
    assert typed.status == 0
    assert "Unsetting ONE" in typed.out
    assert "Skipping, it is not set: NEVER" in typed.out
    assert started_with(paas) == {"TWO": "2"}
    started = len(paas.scheduler.started)
    assert paas("config:unset", "shop", "NEVER").status == 0
    assert len(paas.scheduler.started) == started


def test_show_aligns_and_keys_has_no_values(paas: Person) -> None:
    paas("apps:create", "new")
    paas("config:set", "new", "A=1", "LONGER=two\nlines\x1b[2J\x07")
    assert paas("config:show", "new").out == "A:       1\nLONGER:  two\\nlines\n"
    assert json.loads(paas("config:show", "new", "--format", "json").out)["A"] == "1"
    assert paas("config:keys", "new", "--quiet").out == "A\nLONGER\n"
    assert json.loads(paas("config:keys", "new", "--format", "json").out) == ["A", "LONGER"]


def test_show_has_dokku_s_header_on_a_terminal_only(
    paas: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    paas("apps:create", "new")
    paas("config:set", "new", "A=1")
    assert paas("config:show", "new").out == "A:  1\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert paas("config:show", "new").out == "=====> new env vars\nA:  1\n"
    assert paas("config:show", "new", "--quiet").out == "A:  1\n"


def test_a_missing_app_is_exit_20(paas: Person) -> None:
    for argv in (("config:set", "x", "A=1"), ("config:get", "x", "A"), ("config:show", "x")):
        assert paas(*argv).status == 20
