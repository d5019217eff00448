"""publish() and switch() on a real nginx and a real nftables."""

import http.client
import json
from typing import Any

import pytest

from tests.proxies.world import World


def get(world: World, host: str, path: str = "/", **headers: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", world.settings.http_port, timeout=10)
    sent = {"Host": host} | {key.replace("_", "-"): value for key, value in headers.items()}
    try:
        connection.request("GET", path, headers=sent)
        response = connection.getresponse()
        body = response.read()
        return response.status, json.loads(body) if body.startswith(b"{") else {"text": body}
    finally:
        connection.close()


def test_a_published_and_switched_app_answers_at_its_domain(world: World) -> None:
    world.proxy.switch("shop", [world.process("v1", 0, 2)])
    assert world.proxy.publish(world.site("shop", 0)) is True
    status, shown = get(world, "shop.test.localhost")
    assert (status, shown["name"]) == (200, "v1")


def test_a_switch_sends_new_requests_to_the_new_process(world: World) -> None:
    old, new = world.process("v1", 0, 2), world.process("v2", 0, 3)
    world.proxy.switch("shop", [old])
    world.proxy.publish(world.site("shop", 0))
    assert get(world, "shop.test.localhost")[1]["name"] == "v1"
    world.proxy.switch("shop", [new])
    assert {get(world, "shop.test.localhost")[1]["name"] for _ in range(5)} == {"v2"}


def test_publishing_the_same_again_reloads_nothing(world: World) -> None:
    world.proxy.publish(world.site("shop", 0))
    assert world.proxy.publish(world.site("shop", 0)) is False


def test_an_unknown_host_is_refused_without_an_answer(world: World) -> None:
    world.proxy.publish(world.site("shop", 0))
    with pytest.raises(http.client.RemoteDisconnected):
        get(world, "other.test.localhost")
