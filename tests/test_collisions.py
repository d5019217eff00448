"""What is typed in the middle of a push: it waits or is refused, and never mixes with the push."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paas import locks, operate, site_logs
from paas.errors import Conflict
from paas.model import Container, ContainerRole
from tests.world import ANNA, World, make_world


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Have an app `shop` with v1 live, and commands that do not wait for its lock."""
    monkeypatch.setattr(locks.Locks.app, "__kwdefaults__", {"waiting": None, "patience": 0})
    with make_world(tmp_path) as made:
        assert made.push() == "ok"
        yield made


def in_the_build(world: World, monkeypatch: pytest.MonkeyPatch, deed: Callable[[], None]) -> None:
    """Let something happen while the next push builds."""
    build = world.builder.build

    def interrupted(*args: object, **kwargs: object) -> object:
        monkeypatch.setattr(world.builder, "build", build)
        deed()
        return build(*args, **kwargs)  # type: ignore[arg-type]  # whatever it was called with

    monkeypatch.setattr(world.builder, "build", interrupted)


def refused(deed: Callable[[], object]) -> Callable[[], None]:
    """Do it, and see that it is refused because somebody pushes."""

    def do() -> None:
        with pytest.raises(Conflict, match=r"at work on this app .*anna"):
            deed()

    return do


def test_an_app_is_not_destroyed_in_a_push(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    in_the_build(live, monkeypatch, refused(lambda: operate.destroy(live.platform, live.app())))
    assert live.push(procfile="web: newer") == "ok"
    assert live.app().version == 2


def test_a_scale_in_a_push_is_refused_and_leaves_no_trace(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def scale() -> None:
        operate.scale(live.platform, live.app(), ANNA, {"web": 3}, only_store=False)

    in_the_build(live, monkeypatch, refused(scale))
    assert live.push(procfile="web: newer") == "ok"
    assert [row.process for row in current(live)] == ["web.1"]
    scale()
    assert [row.process for row in current(live)] == ["web.1", "web.2", "web.3"]


def current(world: World) -> list[Container]:
    return list(world.store.containers.of(world.app().id, ContainerRole.CURRENT))


def test_a_push_that_waited_while_its_app_was_destroyed_says_so(
    live: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive = live.repos.receive

    def late(*args: object) -> int:
        operate.destroy(live.platform, live.app())
        return receive(*args)  # type: ignore[arg-type]  # whatever it was called with

    monkeypatch.setattr(live.repos, "receive", late)
    assert live.push(procfile="web: newer").startswith("ng shop was destroyed while this push")
    assert live.store.apps.find("shop") is None
    assert not live.scheduler.running


def test_nothing_of_a_destroyed_app_reaches_the_next_of_that_name(live: World) -> None:
    before = live.app()
    live.store.config.change(before.id, {"SECRET": "hunter2hunter2"})
    live.store.domains.change(before.id, add=["shop.example.org"])
    live.store.formation.set(before.id, {"web": 2})
    logged = site_logs.access_log(live.settings, "shop")
    logged.parent.mkdir(parents=True)
    logged.write_text("who came\n")
    operate.destroy(live.platform, before)
    assert live.push() == "ok"
    assert live.app().id != before.id
    assert live.store.config.get(live.app().id) == {}
    assert live.proxy.sites["shop"].domains == ("shop.paas.localhost",)
    assert len(current(live)) == 1
    assert live.app().version == 1
    assert not logged.exists()
