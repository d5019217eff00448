import subprocess
from pathlib import Path

import pytest

from paas.client.remote import Host, Remote, find_remote, parse_host, parse_remote
from paas.errors import UsageError

HOSTILE = [
    "ssh://-oProxyCommand=touch%20pwned/shop",
    "ssh://paas@-oProxyCommand=x/shop",
    "ssh://-paas@host/shop",
    "-oProxyCommand=x:shop",
    "ext::sh -c touch% pwned",
    "ssh://paas@host:22a/shop",
    "ssh://paas@host:99999/shop",
    "ssh://paas@host:\u0662\u0662/shop",
    "ssh://paas@host/shop;reboot",
    "ssh://paas@host/../shop",
    "ssh://paas@host/--help",
    "ssh://paas@host/SHOP",
    "ssh://paas@host\n-v/shop",
    "ssh://paas@host/shop\n",
    "ssh://paas@ho%h/shop",
    "https://github.com/anna/shop.git",
    "/srv/git/shop",
    "",
    "x" * 9000,
]


@pytest.mark.parametrize(
    ("url", "host", "app"),
    [
        ("ssh://paas@example.org:2222/shop", Host("paas", "example.org", 2222), "shop"),
        ("ssh://paas@example.org/shop.git", Host("paas", "example.org", None), "shop"),
        ("ssh://example.org/shop/", Host("paas", "example.org", None), "shop"),
        ("ssh://paas@[2001:db8::1]:2222/shop", Host("paas", "[2001:db8::1]", 2222), "shop"),
        ("paas@example.org:my-shop-2", Host("paas", "example.org", None), "my-shop-2"),
        ("myhost:shop", Host("paas", "myhost", None), "shop"),
    ],
)
def test_a_remote_names_host_and_app(url: str, host: Host, app: str) -> None:
    assert parse_remote(url) == Remote(host, app)


@pytest.mark.parametrize("url", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_remote_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_remote(url)
    assert refused.value.message.isprintable()


def test_a_host_is_typed_with_user_and_port_or_without() -> None:
    assert parse_host("example.org") == Host("paas", "example.org", 2222)
    assert parse_host("git@example.org:22") == Host("git", "example.org", 22)
    assert parse_host("ssh://paas@example.org:2222/").url("shop") == (
        "ssh://paas@example.org:2222/shop"
    )


@pytest.mark.parametrize("host", ["-v", "a b", "host:0", "host:x", "u@-h", "", "h/../x", "h\n"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(UsageError):
        parse_host(host)


def test_the_remote_of_a_repository_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert find_remote("paas") is None
    subprocess.run(["git", "init", "-q"], check=True, timeout=20)
    assert find_remote("paas") is None
    subprocess.run(["git", "remote", "add", "paas", "paas@h:shop"], check=True, timeout=20)
    assert find_remote("paas") == Remote(Host("paas", "h", None), "shop")


@pytest.mark.parametrize("name", ["-v", "--exec=x", "a b", "", "x\n"])
def test_the_name_of_a_remote_is_no_option_of_git(name: str) -> None:
    with pytest.raises(UsageError):
        find_remote(name)
