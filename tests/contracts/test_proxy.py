"""What every Proxy does: the fake, and nginx with nftables, pass the same suite."""

from collections.abc import Iterator
from contextlib import ExitStack
from http.client import RemoteDisconnected
from pathlib import Path
from typing import Protocol

import pytest

from paas.errors import PaasError, ProxyUnavailable
from paas.proxies import base, own_nginx
from paas.proxies.base import Route, Site
from tests.fakes.proxy import FakeProxy
from tests.proxies.client import request
from tests.proxies.world import World

SHOP, BLOG = "shop.test.localhost", "blog.test.localhost"


class Harness(Protocol):
    """A proxy with a way to make processes, to ask it, and to take its nginx away."""

    @property
    def proxy(self) -> base.Proxy: ...
    def process(self, name: str, index: int, host: int) -> Route: ...
    def site(self, app: str, index: int) -> Site: ...
    def ask(self, domain: str) -> str | None:
        """Return the process's name that answers, "" if none does, None for an unknown host."""

    def stop_nginx(self) -> None: ...


class RealHarness:
    def __init__(self, world: World) -> None:
        self.proxy, self._world = world.proxy, world
        self.process, self.site = world.process, world.site

    def ask(self, domain: str) -> str | None:
        try:
            shown = request(self._world.settings.http_port, domain)[1]
        except RemoteDisconnected:
            return None
        return str(shown.get("name", ""))

    def stop_nginx(self) -> None:
        own_nginx.stop(self._world.settings)


class FakeHarness:
    def __init__(self, proxy: FakeProxy) -> None:
        self.proxy = proxy
        self._names: dict[str, str] = {}

    def process(self, name: str, index: int, host: int) -> Route:
        route = Route(f"10.214.{index}.1", f"10.213.{index}.{host}", 5000)
        self._names[route.address] = name
        return route

    def site(self, app: str, index: int) -> Site:
        return Site(app, (f"{app}.test.localhost",), (f"10.214.{index}.1",))

    def ask(self, domain: str) -> str | None:
        routes = self.proxy.answer(domain)
        return None if routes is None else "".join(self._names[r.address] for r in routes)

    def stop_nginx(self) -> None:
        self.proxy.is_down = True


@pytest.fixture(params=["fake", "nginx"])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    if request.param == "fake":
        yield FakeHarness(FakeProxy())
        return
    with ExitStack() as stack:
        world = World(tmp_path, stack)
        world.start_nginx()
        yield RealHarness(world)


def test_a_site_is_served_where_its_route_points(harness: Harness) -> None:
    harness.proxy.switch("shop", [harness.process("v1", 0, 2)])
    assert harness.proxy.publish(harness.site("shop", 0)) is True
    assert harness.ask(SHOP) == "v1"
    harness.proxy.switch("shop", [harness.process("v2", 0, 3)])
    assert harness.ask(SHOP) == "v2"


def test_publishing_the_same_again_changes_nothing(harness: Harness) -> None:
    assert harness.proxy.publish(harness.site("shop", 0)) is True
    assert harness.proxy.publish(harness.site("shop", 0)) is False


def test_an_app_without_routes_is_served_by_nobody(harness: Harness) -> None:
    harness.proxy.switch("shop", [harness.process("v1", 0, 2)])
    harness.proxy.publish(harness.site("shop", 0))
    harness.proxy.switch("shop", ())
    assert harness.ask(SHOP) == ""


def test_a_site_that_is_withdrawn_or_without_domains_is_unknown(harness: Harness) -> None:
    for app, index in (("shop", 0), ("blog", 1)):
        harness.proxy.publish(harness.site(app, index))
    harness.proxy.withdraw("shop")
    harness.proxy.withdraw("shop")
    harness.proxy.publish(Site("blog", (), ()))
    assert (harness.ask(SHOP), harness.ask(BLOG)) == (None, None)


def test_restore_makes_all_apps_as_listed_and_removes_the_rest(harness: Harness) -> None:
    route = harness.process("v1", 0, 2)
    harness.proxy.publish(harness.site("blog", 1))
    harness.proxy.restore(lambda: [harness.site("shop", 0)], lambda: {"shop": [route]})
    harness.proxy.restore(lambda: [harness.site("shop", 0)], lambda: {"shop": [route]})
    assert (harness.ask(SHOP), harness.ask(BLOG)) == ("v1", None)


def test_a_refused_publish_is_undone_and_can_be_tried_again(harness: Harness) -> None:
    harness.stop_nginx()
    for _ in range(2):
        with pytest.raises(ProxyUnavailable) as seen:
            harness.proxy.publish(harness.site("shop", 0))
        assert seen.value.hint


def test_a_hostile_site_is_refused(harness: Harness) -> None:
    bad = [
        Site("../shop", (SHOP,), ()),
        Site("shop", ("a.example; }",), ()),
        Site("shop", (SHOP,), (), {"gzip": "on;"}),
        Site("shop", (SHOP,), (), {"include": "/etc/passwd"}),
    ]
    for site in bad:
        with pytest.raises(PaasError):
            harness.proxy.publish(site)


def test_doctor_says_what_to_do_when_nginx_is_down(harness: Harness) -> None:
    harness.stop_nginx()
    failed = [finding for finding in harness.proxy.check() if finding.level == "fail"]
    assert failed
    assert all(finding.hint for finding in failed)
