"""report: all reports in one."""

import json

from paas.model import App
from tests.commands.conftest import Person


def test_a_report_has_the_host_and_every_topic(paas: Person, shop: App) -> None:
    typed = paas("report", "shop")
    assert typed.status == 0, typed.err
    for title in ("host", "shop app", "shop domains", "shop nginx", "shop ps", "shop checks"):
        assert f"=====> {title} information" in typed.out
    assert "Computed client max body size:" in typed.out


def test_no_value_of_a_config_var_is_in_a_report(paas: Person, shop: App) -> None:
    paas("config:set", "shop", "SECRET_KEY=hunter22")
    for words in (("report",), ("report", "shop"), ("report", "shop", "--format", "json")):
        typed = paas(*words)
        assert typed.status == 0, typed.err
        assert "hunter22" not in typed.out + typed.err


def test_the_same_comes_as_json(paas: Person, shop: App) -> None:
    values = json.loads(paas("report", "shop", "--format", "json").out)
    assert values["host"]["apps"] == 1
    assert values["domains"]["app-enabled"] is True
    every = json.loads(paas("report", "--format", "json").out)
    assert every["domains"]["shop"]["app-enabled"] is True


def test_a_report_of_an_app_that_is_missing_is_exit_20(paas: Person) -> None:
    assert paas("report", "missing").status == 20
    assert paas("report").status == 0
