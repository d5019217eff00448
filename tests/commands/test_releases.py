import json
from typing import Any

import pytest

from paas.model import App
from tests.commands.conftest import Person
from tests.fakes.repos import APP_JSON


def as_json(paas: Person, *argv: str) -> Any:
    typed = paas(*argv, "--format", "json")
    assert typed.status == 0, typed.err
    return json.loads(typed.out)


@pytest.fixture
def shop(paas: Person, shop: App) -> App:
    """A deployed app with v1 (serve), v2 (A=secret) and v3 (new code, a worker, B for A)."""
    assert paas("config:set", "shop", "A=hunter2hunter2").status == 0
    paas("config:set", "--no-restart", "shop", "B=1")
    paas("config:unset", "--no-restart", "shop", "A")
    paas.push("shop", "web: new\nworker: work" + APP_JSON + '{"formation": {"worker": {}}}')
    return paas.store.apps.get("shop")


def test_the_list_marks_the_current_release(paas: Person, shop: App) -> None:
    lines = paas("releases:list", "shop").out.splitlines()
    assert lines[0] == "=====> shop releases"
    assert [line.split()[:2] for line in lines[1:2]] == [["*", "v3"]]
    assert [row["version"] for row in as_json(paas, "releases:list", "shop")] == ["v3", "v2", "v1"]


def test_info_describes_a_release_without_values(paas: Person, shop: App) -> None:
    values = as_json(paas, "releases:info", "shop", "v2")
    assert (values["version"], values["current"], values["image_kept"]) == ("v2", False, True)
    assert values["config_keys"] == ["A"]
    typed = paas("releases:info", "shop", "2")
    assert "hunter2" not in typed.out
    assert "Config:set" not in typed.out
    assert as_json(paas, "releases:info", "shop")["processes"] == {"web": "new", "worker": "work"}


def test_diff_shows_commits_keys_and_process_types_and_no_value(paas: Person, shop: App) -> None:
    typed = paas("releases:diff", "shop")
    assert typed.out.splitlines()[0] == "=====> shop v2 -> v3"
    for line in ("a change", "+ B", "- A", "+ worker", "~ web", "~ image"):
        assert line in typed.out
    assert "hunter2" not in typed.out
    back = as_json(paas, "releases:diff", "shop", "v3", "v1")
    assert (back["from"], back["to"]) == ("v3", "v1")
    assert back["config"] == {"added": [], "removed": ["B"], "changed": []}
    assert len(back["commits_removed"]) == 1
    assert back["commits_added"] == []


def test_of_equal_releases_nothing_differs(paas: Person, shop: App) -> None:
    assert "Nothing differs" in paas("releases:diff", "shop", "v3", "v3").out


def test_before_the_first_release_there_is_nothing_to_compare(paas: Person, shop: App) -> None:
    typed = paas("releases:diff", "shop", "v1")
    assert typed.status == 0
    assert paas("releases:diff", "shop", "v9").status == 20
    paas("apps:create", "new")
    assert paas("releases:diff", "new").status == 20


def test_rollback_says_what_stays_and_how_to_go_forward(paas: Person, shop: App) -> None:
    typed = paas("releases:rollback", "shop", "v2", "--keep-config")
    assert typed.status == 0, typed.err
    assert "is a rollback to v2" in typed.out
    assert "Not rolled back: databases, volumes, domains, config" in typed.out
    assert "ps:rebuild shop" in typed.out
    assert paas("config:keys", "shop", "--quiet").out == "B\n"


def test_retention_is_set_shown_and_holds_at_once(paas: Person, shop: App) -> None:
    assert "keeps 2 releases" in paas("releases:set", "shop", "retention", "2").out
    assert [row["version"] for row in as_json(paas, "releases:list", "shop")] == ["v3", "v2"]
    values = as_json(paas, "releases:report", "shop")
    assert (values["retention"], values["kept"], values["possible"]) == (2, 2, ["v2"])
    refused = paas("releases:rollback", "shop", "v1")
    assert refused.status == 20
    assert "Possible: v2" in refused.err
    assert "keeps 10 releases" in paas("releases:set", "shop", "retention").out
    assert paas("releases:report", "--releases-retention").out == "10\n"


@pytest.mark.parametrize("value", ["0", "-1", "many", "1001", "²"])
def test_a_retention_that_is_no_number_is_refused(paas: Person, shop: App, value: str) -> None:
    assert paas("releases:set", "shop", "retention", "--", value).status == 2


@pytest.mark.parametrize("version", ["v", "one", "v-1", "1.0"])
def test_what_is_no_release_is_a_usage_error(paas: Person, shop: App, version: str) -> None:
    assert paas("releases:info", "shop", "--", version).status == 2


@pytest.mark.parametrize("words", [("foo", "1"), ()])
def test_a_setting_that_there_is_not_is_told_with_those_that_there_are(
    paas: Person, shop: App, words: tuple[str, ...]
) -> None:
    typed = paas("releases:set", "shop", *words)
    assert typed.status == 2
    assert " !     KEY of releases:set can only be retention\n" in typed.err
    assert " !     As in: releases:set shop retention 20\n" in typed.err
