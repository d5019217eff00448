import json

import pytest

from paas.model import App, SecurityOptions
from tests.commands.conftest import Person


def test_a_new_app_is_locked_down(paas: Person, shop: App) -> None:
    values = json.loads(paas("security:report", "shop", "--format", "json").out)
    assert values["loosened"] == []
    assert (values["writable-root"], values["memory"], values["pids"]) == (False, "512m", 256)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("writable-root", "true", SecurityOptions(writable_root=True)),
        ("tmp-size", "256m", SecurityOptions(tmp_size=256 * 2**20)),
        ("memory", "1g", SecurityOptions(memory=2**30)),
        ("pids", "512", SecurityOptions(pids=512)),
        ("run-as", "33", SecurityOptions(run_as=33)),
        ("tmpfs", "/var/lib/x=16m", SecurityOptions(tmpfs={"/var/lib/x": 16 * 2**20})),
    ],
)
def test_a_wall_is_opened_shown_and_closed_again(
    paas: Person, shop: App, key: str, value: str, expected: SecurityOptions
) -> None:
    typed = paas("security:set", "shop", key, value)
    assert typed.status == 0, typed.err
    assert "ps:restart shop" in typed.out
    assert paas.store.security.get(shop.id) == expected
    assert paas("security:report", "shop", "--security-loosened").out == f"{key}\n"
    assert paas("security:set", "shop", key, "").status == 0
    assert paas.store.security.get(shop.id) == SecurityOptions()


def test_tmpfs_are_added_resized_and_taken_away_one_by_one(paas: Person, shop: App) -> None:
    for value in ("/var/a=16m", "/var/b=8m", "/var/a/=32m", "/var/b="):
        assert paas("security:set", "shop", "tmpfs", value).status == 0
    assert paas.store.security.get(shop.id).tmpfs == {"/var/a": 32 * 2**20}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("run-as", "0"),
        ("run-as", "root"),
        ("run-as", "\u0661"),
        ("writable-root", "yes"),
        ("memory", "1"),
        ("memory", "2000g"),
        ("memory", "-1m"),
        ("pids", "100000"),
        ("tmp-size", "64x"),
        ("tmpfs", "/var/x"),
        ("tmpfs", "/proc/x=16m"),
        ("tmpfs", "/=16m"),
        ("tmpfs", "var=16m"),
        ("tmpfs", "/var/../etc=16m"),
        ("tmpfs", "/x:exec=16m"),
        ("privileged", "true"),
    ],
)
def test_what_would_break_a_wall_for_good_is_refused(
    paas: Person, shop: App, key: str, value: str
) -> None:
    typed = paas("security:set", "shop", key, value)
    assert typed.status == 2
    assert 2 <= len(typed.err.splitlines()) <= 3  # what is wrong, an example, the way on
    assert paas.store.security.get(shop.id) == SecurityOptions()


def test_there_are_at_most_four_tmpfs(paas: Person, shop: App) -> None:
    for n in range(4):
        assert paas("security:set", "shop", "tmpfs", f"/var/{n}=16m").status == 0
    assert paas("security:set", "shop", "tmpfs", "/var/5=16m").status == 2
    assert len(paas.store.security.get(shop.id).tmpfs) == 4


def test_an_opened_wall_reaches_the_next_processes(paas: Person, shop: App) -> None:
    paas("security:set", "shop", "memory", "1g")
    assert paas("ps:restart", "shop").status == 0
    assert paas.scheduler.started[-1].options.memory == 2**30


def test_only_root_on_the_host_opens_walls(paas: Person, shop: App) -> None:
    typed = paas.over_ssh("security:set", "shop", "writable-root", "true")
    assert typed.status == 1
    assert "root on the host" in typed.err
    assert paas.over_ssh("security:report", "shop").status == 0
