"""Domains with a certificate, on a real nginx: handshakes, redirects, and who may read the key."""

import dataclasses
import http.client
import os
import shutil
import socket
import ssl
import stat
from pathlib import Path

import pytest

from paas.certificates import generate
from paas.errors import ProxyUnavailable
from paas.proxies.base import Site
from tests.proxies.client import request
from tests.proxies.world import World

SHOP = "shop.test.localhost"
OLD_NGINX = """#!/bin/sh
case " $* " in *" -v "*) echo "nginx version: nginx/1.18.0 (Ubuntu)" >&2; exit ;; esac
exec {nginx} "$@"
"""


def secure_site(world: World, **options: str) -> Site:
    world.proxy.switch("shop", [world.process("v1", 1, 2)])
    return dataclasses.replace(world.site("shop", 1, **options), certificate=generate(SHOP))


def handshake(world: World, name: str, trusted: str) -> ssl.SSLSocket:
    """Open TLS to the https port as a browser would: the name is checked."""
    context = ssl.create_default_context(cadata=trusted)
    plain = socket.create_connection(("127.0.0.1", world.settings.https_port), 10)
    return context.wrap_socket(plain, server_hostname=name)


def ask(world: World, name: str, trusted: str) -> http.client.HTTPResponse:
    with handshake(world, name, trusted) as connection:
        connection.sendall(f"GET / HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read()
        return answer


def test_a_covered_domain_answers_by_https_and_http_leads_there(world: World) -> None:
    site = secure_site(world)
    assert site.certificate
    world.proxy.publish(site)
    answer = ask(world, SHOP, site.certificate.chain)
    assert answer.status == 200
    assert answer.headers["Strict-Transport-Security"] == "max-age=15724800"
    connection = http.client.HTTPConnection("127.0.0.1", world.settings.http_port, timeout=10)
    connection.request("POST", "/a?b=c", headers={"Host": SHOP})
    moved = connection.getresponse()
    moved.read()
    connection.close()
    assert moved.status == 301
    assert moved.headers["Location"] == f"https://{SHOP}:{world.settings.https_port}/a?b=c"


def test_the_app_learns_that_the_client_came_by_https(world: World) -> None:
    site = secure_site(world)
    assert site.certificate
    world.proxy.publish(site)
    with handshake(world, SHOP, site.certificate.chain) as connection:
        connection.sendall(f"GET / HTTP/1.0\r\nHost: {SHOP}\r\n\r\n".encode())
        text = b"".join(iter(lambda: connection.recv(65536), b"")).lower()
    assert b'"x-forwarded-proto": "https"' in text


def test_a_domain_that_is_not_covered_stays_with_http(world: World) -> None:
    site = secure_site(world)
    world.proxy.publish(dataclasses.replace(site, domains=(SHOP, "plain.test.localhost")))
    assert request(world.settings.http_port, "plain.test.localhost")[0] == 200


def test_unknown_names_get_no_certificate(world: World) -> None:
    site = secure_site(world)
    assert site.certificate
    world.proxy.publish(site)
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        handshake(world, "stranger.test.localhost", site.certificate.chain)


@pytest.fixture
def old_nginx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An nginx that says that it is Ubuntu 22.04's."""
    program = tmp_path / "bin" / "nginx"
    program.parent.mkdir()
    program.write_text(OLD_NGINX.format(nginx=shutil.which("nginx")))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")


def test_an_nginx_that_cannot_refuse_shows_strangers_nobody_s_certificate(
    world: World, old_nginx: None
) -> None:
    site = secure_site(world)
    assert site.certificate
    world.proxy.publish(site)
    assert "ssl_reject_handshake" not in (world.settings.nginx / "default.conf").read_text()
    pem = world.settings.nginx / "nobody.pem"
    nobody = pem.read_text().partition("-----BEGIN PRIVATE")[0]
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(world, "stranger.test.localhost", nobody)
    with pytest.raises(http.client.RemoteDisconnected):
        ask(world, "nobody.invalid", nobody)  # also who believes it gets no answer
    assert ask(world, SHOP, site.certificate.chain).status == 200


def test_only_root_may_read_the_key_and_it_goes_with_the_site(world: World) -> None:
    site = secure_site(world)
    world.proxy.publish(site)
    pem = world.settings.nginx / "sites" / "shop.pem"
    assert stat.S_IMODE(pem.stat().st_mode) == 0o600
    world.proxy.publish(dataclasses.replace(site, certificate=None))
    assert not pem.exists()
    assert request(world.settings.http_port, SHOP)[0] == 200
    with socket.socket() as probe:  # nothing listens for https any more
        assert probe.connect_ex(("127.0.0.1", world.settings.https_port)) != 0


def test_what_nginx_refuses_is_taken_back(world: World) -> None:
    site = secure_site(world)
    assert site.certificate
    world.proxy.publish(site)
    other = dataclasses.replace(site.certificate, key=generate(SHOP).key)
    with pytest.raises(ProxyUnavailable):
        world.proxy.publish(dataclasses.replace(site, certificate=other))
    assert ask(world, SHOP, site.certificate.chain).status == 200


def test_a_restore_brings_lost_files_back_and_removes_strange_ones(world: World) -> None:
    site = secure_site(world)
    world.proxy.publish(site)
    folder = world.settings.nginx / "sites"
    (folder / "shop.pem").unlink()
    (folder / "stranger.pem").write_text("nobody's")
    route = world.process("v2", 1, 3)
    world.proxy.restore(lambda: [site], lambda: {"shop": [route]})
    assert sorted(path.name for path in folder.iterdir()) == ["shop.conf", "shop.pem"]
