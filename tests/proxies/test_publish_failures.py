"""A publish that cannot work changes nothing, says whose fault it is, and can be tried again."""

import os
import signal
import subprocess
import threading
import time
from ipaddress import AddressValueError
from pathlib import Path

import pytest

from paas.errors import InvalidName, PaasError, ProxyUnavailable
from paas.proxies import own_nginx
from paas.proxies.base import Site
from paas.proxies.files import locked
from paas.proxies.nginx import NginxProxy
from tests.proxies.client import WebSocket, request
from tests.proxies.world import World

SHOP = "shop.test.localhost"


def files(world: World) -> dict[str, str]:
    folder = world.settings.nginx
    return {str(path): path.read_text() for path in folder.rglob("*.conf")}


def answers(world: World, host: str = SHOP) -> int:
    return request(world.settings.http_port, host)[0]


def reloads(world: World) -> int:
    return (world.settings.logs / "nginx-error.log").read_text().count("(SIGHUP) received")


def test_nginx_down_is_said_and_the_old_files_are_put_back(world: World) -> None:
    world.proxy.publish(world.site("shop", 0))
    before = files(world)
    own_nginx.stop(world.settings)
    with pytest.raises(ProxyUnavailable, match="nginx is not running"):
        world.proxy.publish(world.site("blog", 1))
    assert files(world) == before
    own_nginx.start(world.settings, user="root")
    assert world.proxy.publish(world.site("blog", 1)) is True
    assert answers(world, "blog.test.localhost") == 502


def test_nginx_starts_although_nothing_could_ever_be_published(world: World) -> None:
    own_nginx.stop(world.settings)
    with pytest.raises(ProxyUnavailable):
        world.proxy.publish(world.site("shop", 0))
    own_nginx.start(world.settings, user="root")


def test_a_broken_file_of_the_owner_is_named_as_the_owners(world: World) -> None:
    world.proxy.publish(world.site("shop", 0))
    before = files(world)
    conf = world.settings.nginx_conf
    good = conf.read_text()
    conf.write_text(good.replace("default_type", "default_typo"))
    with pytest.raises(
        ProxyUnavailable, match=r"own configuration is broken.*default_typo"
    ) as seen:
        world.proxy.publish(world.site("blog", 1))
    assert str(conf) in seen.value.hint
    assert files(world) == before
    conf.write_text(good)
    assert world.proxy.publish(world.site("blog", 1)) is True


def test_a_broken_template_of_the_owner_harms_no_app(world: World) -> None:
    world.proxy.publish(world.site("shop", 0))
    world.settings.templates.mkdir()
    own = world.settings.templates / "site.conf.j2"
    own.write_text("server { nonsense; }\n")
    with pytest.raises(ProxyUnavailable, match="nonsense") as seen:
        world.proxy.publish(world.site("blog", 1))
    assert str(world.settings.templates) in seen.value.hint
    own.write_text("{{ unknown }}")
    with pytest.raises(ProxyUnavailable, match="unknown"):
        world.proxy.publish(world.site("blog", 1))
    assert answers(world) == 502


def test_a_template_of_the_owner_takes_the_place_of_the_shipped_one(world: World) -> None:
    world.settings.templates.mkdir()
    own = world.settings.templates / "site.conf.j2"
    own.write_text("server { listen {{ listen[0] }}; server_name {{ domains[0] }}; return 418; }\n")
    world.proxy.publish(world.site("shop", 0))
    assert answers(world) == 418


def test_an_app_cannot_take_a_domain_that_the_owner_serves_himself(world: World) -> None:
    conf, port = world.settings.nginx_conf, world.settings.http_port
    own = f"    server {{ listen {port}; server_name www.owner.test; return 204; }}\n}}\n"
    conf.write_text(conf.read_text().rstrip().removesuffix("}") + own)
    world.proxy.publish(world.site("blog", 1))
    assert answers(world, "www.owner.test") == 204
    before = files(world)
    thief = Site("shop", (SHOP, "www.owner.test"), (world.service(0),))
    with pytest.raises(ProxyUnavailable, match=r"www\.owner\.test is served by nginx already"):
        world.proxy.publish(thief)
    assert files(world) == before
    assert answers(world, "www.owner.test") == 204
    assert world.proxy.publish(world.site("shop", 0))


def test_a_domain_that_the_owner_serves_later_stops_no_change_of_the_app(world: World) -> None:
    world.proxy.publish(world.site("shop", 0))
    conf, port = world.settings.nginx_conf, world.settings.http_port
    own = f"    server {{ listen {port}; server_name {SHOP}; return 204; }}\n}}\n"
    conf.write_text(conf.read_text().rstrip().removesuffix("}") + own)
    assert world.proxy.publish(world.site("shop", 0, gzip="off"))


def test_a_full_disk_leaves_the_old_files(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.proxy.publish(world.site("shop", 0))
    before = files(world)
    full = Path("/dev/full")

    def fsync(descriptor: int) -> None:
        with full.open("wb", buffering=0) as device:
            device.write(b"x")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(ProxyUnavailable, match="No space left"):
        world.proxy.publish(world.site("shop", 0, client_max_body_size="9m"))
    assert files(world) == before


def test_a_crash_between_file_and_reload_is_made_good_by_the_next_publish(world: World) -> None:
    world.proxy.publish(world.site("shop", 0))
    (world.settings.nginx / "unread.now").touch()
    count = reloads(world)
    world.proxy.publish(world.site("shop", 0))
    assert reloads(world) == count + 1
    assert not list(world.settings.nginx.glob("unread*"))


def test_what_the_owner_has_in_his_own_configuration_is_left_to_him(world: World) -> None:
    conf = world.settings.nginx_conf
    port = world.settings.http_port
    own = (
        "server_names_hash_bucket_size 256; server_names_hash_max_size 1024;"
        f"server {{ listen {port} default_server; return 410; }}"
    )
    conf.write_text(conf.read_text().replace("default_type", f"{own}\n default_type"))
    world.proxy.publish(world.site("shop", 0))
    assert answers(world) == 502
    assert answers(world, "unknown.example") == 410
    assert "nginx default server" in {finding.check for finding in world.proxy.check()}


def test_all_who_wait_for_a_reload_share_one(world: World) -> None:
    world.proxy.publish(world.site("shop", 0))
    before, names = reloads(world), [f"app{index}" for index in range(8)]

    def publish(index: int) -> None:
        NginxProxy(world.settings, world.build_bridge).publish(world.site(names[index], index))

    threads = [threading.Thread(target=publish, args=(index,)) for index in range(8)]
    with locked(world.settings.locks / "nginx-reload.lock"):
        for thread in threads:
            thread.start()
        while len(list((world.settings.nginx / "sites").glob("app*.conf"))) < len(names):
            time.sleep(0.01)
    for thread in threads:
        thread.join()
    assert {answers(world, f"{name}.test.localhost") for name in names} == {502}
    assert reloads(world) == before + 1


@pytest.mark.parametrize(
    "domain",
    [
        "a.example; } server { listen 81",
        "*.*.example.org",
        "a.*.example.org",
        "~^.*$",
        "_",
        "A.example.org",
        "a.example\n",
        "a b.example",
        "{{ 7 * 7 }}.example",
    ],
)
def test_a_hostile_domain_never_reaches_a_file(world: World, domain: str) -> None:
    before = files(world)
    with pytest.raises(InvalidName):
        world.proxy.publish(Site("shop", (domain,), (world.service(0),)))
    assert files(world) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("client-max-body-size", "1m; } location /etc/ { alias /etc/; "),
        ("client-max-body-size", "1m\n"),
        ("client-max-body-size", "٣m"),
        ("proxy-read-timeout", "-1"),
        ("gzip", "yes"),
        ("root", "/etc"),
        ("access-log", "/etc/passwd"),
    ],
)
def test_a_hostile_option_never_reaches_a_file(world: World, name: str, value: str) -> None:
    before = files(world)
    with pytest.raises(PaasError):
        world.proxy.publish(Site("shop", (SHOP,), (world.service(0),), {name: value}))
    assert files(world) == before


@pytest.mark.parametrize("upstream", ["unix:/run/docker.sock", "127.0.0.1:22;", "evil.example"])
def test_an_upstream_that_is_no_address_never_reaches_a_file(world: World, upstream: str) -> None:
    with pytest.raises(AddressValueError):
        world.proxy.publish(Site("shop", (SHOP,), (upstream,)))
    assert not (world.settings.nginx / "sites").exists()


def test_the_longest_domain_there_may_be_is_served(world: World) -> None:
    label = "a" * 63
    longest = f"{label}.{label}.{label}.{'b' * 61}"
    world.proxy.publish(Site("shop", (longest,), (world.service(0),)))
    assert answers(world, longest) == 502


def test_open_websockets_of_a_neighbour_outlive_a_publish(world: World) -> None:
    world.proxy.switch("shop", [world.process("v1", 0, 2)])
    world.proxy.publish(world.site("shop", 0))
    with WebSocket(world.settings.http_port, SHOP) as client:
        for index in range(1, 4):
            world.proxy.publish(world.site(f"app{index}", index))
            assert client.echo(str(index)) == f"v1 {index}"


class TestDoctor:
    """check(): each finding says what to do."""

    def levels(self, world: World) -> dict[str, str]:
        return {finding.check: finding.level for finding in world.proxy.check()}

    def test_a_sound_host_has_only_good_findings(self, world: World) -> None:
        world.proxy.publish(world.site("shop", 0))
        assert self.levels(world) == {"nginx": "ok", "firewall": "ok", "service route": "ok"}

    def test_a_lost_table_is_a_failure(self, world: World) -> None:
        world.proxy.publish(world.site("shop", 0))
        world.remove_kernel_state()
        levels = self.levels(world)
        assert (levels["firewall"], levels["service route"]) == ("fail", "warn")

    def test_a_route_that_was_changed_by_hand_is_a_failure(self, world: World) -> None:
        world.proxy.publish(world.site("shop", 0))
        element = f"{{ {world.service(3)} : 10.9.9.9 . 80 }}"
        name = ["inet", f"paas_{world.settings.instance}", "web"]
        subprocess.run(["nft", "add", "element", *name, element], check=True)
        assert self.levels(world)["firewall"] == "fail"

    def test_nginx_that_does_not_run_is_a_failure(self, world: World) -> None:
        world.proxy.publish(world.site("shop", 0))
        master = int(world.settings.nginx_pid.read_text())
        os.killpg(master, signal.SIGKILL)  # its workers, too: they would keep the port
        own_nginx.stop(world.settings)
        assert self.levels(world)["nginx"] == "fail"

    def test_a_missing_include_is_a_failure(self, world: World) -> None:
        world.proxy.publish(world.site("shop", 0))
        conf = world.settings.nginx_conf
        conf.write_text(conf.read_text().replace(" include ", " # include "))
        assert self.levels(world)["nginx include"] == "fail"
