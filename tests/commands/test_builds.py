"""Dokku's words for deploys, and cleaning up."""

import json
from typing import Any

import pytest

from paas.errors import BuildFailed
from paas.model import App
from tests.commands.conftest import Person
from tests.commands.test_deploys import unfinished


def rows(paas: Person, *words: str) -> list[dict[str, Any]]:
    typed = paas("builds:list", *words, "--format", "json")
    assert typed.status == 0, typed.err
    return list(json.loads(typed.out))


def test_builds_and_deploys_have_their_kinds_and_states(paas: Person, shop: App) -> None:
    paas("ps:restart", "shop")
    paas.builder.error = BuildFailed("The build stopped")
    paas("ps:rebuild", "shop")
    found = [
        (row["kind"], row["source"], row["status"], row["exit_code"]) for row in rows(paas, "shop")
    ]
    assert found == [
        ("build", "ps:rebuild", "failed", 1),
        ("deploy", "ps:restart", "succeeded", 0),
        ("build", "push", "succeeded", 0),
    ]
    assert len(rows(paas, "shop", "--kind", "deploy")) == 1
    assert [row["id"] for row in rows(paas, "shop", "--status", "failed")] == ["3"]
    assert json.loads(paas("builds:info", "shop", "3", "--format", "json").out)["app"] == "shop"


def test_what_is_at_work_is_listed_for_all_apps_that_may_be_seen(paas: Person, shop: App) -> None:
    record = unfinished(paas, shop)
    assert [(row["id"], row["status"]) for row in rows(paas)] == [(str(record.id), "running")]
    paas.user("eve")
    assert paas.typing("eve", "builds:list", "--format", "json").out == "[]\n"
    with paas.store._database.write():
        paas.store._database.execute("UPDATE deploys SET pid_started = 1 WHERE id = ?", record.id)
    assert rows(paas)[0]["status"] == "abandoned"
    assert paas("builds:output", "shop", "current").out == "-----> Building\n"
    assert "It is cancelled" in paas("builds:cancel", "shop").out


@pytest.mark.parametrize(
    "words",
    [("info", "nothing", "1"), ("output", "nothing"), ("cancel", "nothing"), ("list", "nothing")],
)
def test_an_unknown_app_has_no_builds(paas: Person, words: tuple[str, ...]) -> None:
    assert paas(f"builds:{words[0]}", *words[1:]).status == 20


def test_cleaning_drops_old_releases_and_leaves_who_is_busy(paas: Person, shop: App) -> None:
    for text in ("web: two", "web: three"):
        paas.push("shop", text)
    paas("releases:set", "shop", "retention", "2")
    paas.store.properties.set(shop.id, "releases", "retention", "1")
    with paas.platform.locks.app(shop.id, "ben", "push"):
        assert "busy" in paas("cleanup", "shop").out
    assert paas("cleanup", "shop").status == 0
    assert [release.version for release in paas.store.releases.list(shop.id)] == [3]
    paas.user("ben", "owner", "shop")
    assert paas.typing("ben", "cleanup").status == 1
    assert paas("cleanup").status == 0


def test_purged_caches_are_empty_once(paas: Person, shop: App) -> None:
    assert paas.builder.builds[-1].plan.cache == ""
    assert paas("repo:purge-cache", "shop").status == 0
    paas("ps:rebuild", "shop")
    first = paas.builder.builds[-1].plan.cache
    paas("ps:rebuild", "shop")
    assert paas.builder.builds[-1].plan.cache == first != ""


def test_deploys_beyond_the_retention_are_forgotten_with_their_logs(
    paas: Person, shop: App
) -> None:
    for _ in range(3):
        paas.builder.error = BuildFailed("The build stopped")
        assert paas("ps:rebuild", "shop").status == 1
    assert paas("builds:set", "--global", "retention", "3").status == 0
    assert paas("builds:set", "shop", "retention", "1").status == 0
    assert paas("builds:report", "shop", "--builds-computed-retention").out == "1\n"
    assert paas("builds:report", "shop", "--builds-global-retention").out == "3\n"
    assert paas("builds:prune", "shop").out == "       Pruned\n"
    kept = {row["id"] for row in rows(paas, "shop")}
    assert kept == {"1", "4"}  # the release's, and the newest of the others
    logs = {file.stem for file in (paas.settings.logs / "deploys").glob("*.log")}
    assert logs == kept


def test_a_retention_of_builds_is_a_number_and_all_apps_are_for_admins(
    paas: Person, shop: App
) -> None:
    paas.user("ben", "owner", "shop")
    assert paas.typing("ben", "builds:prune", "--all-apps").status == 1
    assert paas.typing("ben", "builds:set", "--global", "retention", "3").status == 1
    assert paas("builds:prune").status == 2
    assert paas("builds:set", "shop", "retention", "0").status == 2
    assert paas("builds:set", "shop", "colour", "3").status == 2
    assert paas("builds:prune", "--all-apps").status == 0
    assert paas("builds:set", "shop", "retention", "").status == 0
    assert paas("builds:report", "shop", "--builds-computed-retention").out == "50\n"
