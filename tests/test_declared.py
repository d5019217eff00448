"""Config vars that app.json declares, in whole pushes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with make_world(tmp_path) as made:
        yield made


def push(world: World, procfile: str = "web: serve", **env: object) -> str:
    return world.push(procfile=procfile, app_json={"env": env})


def config(world: World) -> Mapping[str, str]:
    return world.store.config.get(world.app().id)


def test_the_first_release_has_defaults_and_a_secret_and_keeps_them(world: World) -> None:
    assert push(world, A="one", KEY={"generator": "secret"}, MAYBE={"required": False}) == "ok"
    first = config(world)
    assert set(first) == {"A", "KEY"}
    assert (first["A"], len(first["KEY"])) == ("one", 64)
    assert world.current().config == first
    assert world.scheduler.started[-1].config["KEY"] == first["KEY"]
    assert "Config vars of app.json: A KEY" in world.said
    assert first["KEY"] not in world.said
    assert push(world, A="two", KEY={"generator": "secret"}, NEW="x") == "ok"
    assert config(world) == first


def test_what_somebody_set_before_stays_and_that_of_all_apps_too(world: World) -> None:
    app = world.store.apps.create("shop")
    world.store.config.change(app.id, {"A": "mine"})
    world.store.config.change(None, {"B": "everyone's"})
    assert push(world, A="one", B="two", C={"value": "three"}) == "ok"
    assert config(world) == {"A": "mine", "C": "three"}
    assert world.current().config["B"] == "everyone's"


def test_sync_sets_it_again_with_each_push(world: World) -> None:
    push(world, A={"value": "one", "sync": True})
    world.store.config.change(world.app().id, {"A": "by hand", "MINE": "1"})
    assert push(world, A={"value": "two", "sync": True}) == "ok"
    assert config(world) == {"A": "two", "MINE": "1"}


def test_a_var_that_must_have_a_value_stops_the_first_push_and_names_the_command(
    world: World,
) -> None:
    world.store.apps.create("shop")
    assert push(world, STRIPE_KEY={"description": "of the shop"}).startswith("ng")
    assert "STRIPE_KEY must have a value" in world.said
    assert "config:set shop STRIPE_KEY=" in world.said
    world.store.config.change(world.app().id, {"STRIPE_KEY": "k"})
    assert push(world, STRIPE_KEY={"description": "of the shop"}) == "ok"


def test_a_push_that_fails_sets_nothing_and_the_next_is_the_first(world: World) -> None:
    world.store.apps.create("shop")
    assert push(world, procfile="web: crash", A="one").startswith("ng")
    assert config(world) == {}
    assert push(world, A="two") == "ok"
    assert config(world) == {"A": "two"}


def test_what_is_set_while_it_is_built_stays_set(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = world.store.apps.create("shop")
    build = world.builder.build

    def slow(*args: object, **options: object) -> object:
        world.store.config.change(app.id, {"MEANWHILE": "1"})
        return build(*args, **options)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(world.builder, "build", slow)
    assert push(world, A="one") == "ok"
    assert config(world) == {"A": "one", "MEANWHILE": "1"}
