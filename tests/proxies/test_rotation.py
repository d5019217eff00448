"""Logs of requests stay within a budget, and nobody is cut off for it."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from paas.proxies import rotation
from tests.proxies.client import WebSocket, request
from tests.proxies.world import World

SHOP = "shop.test.localhost"
PATIENCE = 20.0


def nothing() -> None:
    """Nobody writes."""


def test_a_full_log_is_put_aside_while_an_open_websocket_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "FULL", 10)
    world.proxy.switch("shop", [world.process("v1", 0, 2)])
    world.proxy.publish(world.site("shop", 0))
    log = world.settings.logs / "nginx" / "shop.log"
    with WebSocket(world.settings.http_port, SHOP) as client:
        request(world.settings.http_port, SHOP, "/first")
        wait_for(log, "/first")
        world.proxy.rotate_logs()
        # A worker that has not been told yet still writes into the file that was put aside.
        wait_for(log, "/second", lambda: request(world.settings.http_port, SHOP, "/second"))
        assert client.echo("still") == "v1 still"
    assert "/first" not in log.read_text()
    assert "/first" in log.with_name("shop.log.1").read_text()


def wait_for(log: Path, words: str, meanwhile: Callable[[], object] = nothing) -> None:
    """Wait until nginx, which writes once a second, has written this."""
    deadline = time.monotonic() + PATIENCE
    while not log.exists() or words not in log.read_text():
        assert time.monotonic() < deadline, f"{words} does not stand in {log}"
        meanwhile()
        time.sleep(0.05)


def test_a_log_that_is_not_full_stays(tmp_path: Path) -> None:
    (tmp_path / "shop.log").write_text("a line")
    rotation.rotate(tmp_path, nothing)
    assert [file.name for file in tmp_path.iterdir()] == ["shop.log"]


def test_beyond_the_budget_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "FULL", 10)
    monkeypatch.setattr(rotation, "BUDGET", 40)
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.log").write_text("x" * 20)
        rotation.rotate(tmp_path, nothing)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["three.log.1", "two.log.1"]


def test_a_crash_before_nginx_was_told_is_made_up_for(tmp_path: Path) -> None:
    told: list[bool] = []
    (tmp_path / "shop.log.1").write_text("x")
    rotation.rotate(tmp_path, lambda: told.append(True))
    assert told == [True]
