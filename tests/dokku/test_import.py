"""Taking over a Dokku host: from its folders, and over ssh."""

import sys
from pathlib import Path

import pytest

from paas.dokku.folders import DokkuFolders, parse_env, parse_scale
from paas.dokku.found import DokkuHost
from paas.dokku.remote import TARGET, DokkuOverSsh
from paas.errors import PaasError, Unavailable
from tests.dokku.host import PROGRAM, add_certificate, make_app, set_property

ENV = 'NAME="a \\"b\\" \\$c \\\\ d\\ne"\nNUMBER=12\nGIT_REV="abc"\nDOKKU_PROXY_PORT="80"\n'


@pytest.fixture(params=["folders", "ssh"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> DokkuHost:
    home, data = tmp_path / "dokku", tmp_path / "lib"
    place = make_app(home, data, "shop", domains="shop.example.org\nwww.shop.example.org", env=ENV)
    add_certificate(place, "shop.example.org")
    set_property(data, "ps", "shop", "scale", "web=2\nworker=1")
    set_property(data, "git", "shop", "deploy-branch", "main")
    make_app(home, data, "blog")
    (home / ".ssh").mkdir()
    (home / "ENV").write_text('SHARED="1"\n')
    if request.param == "folders":
        return DokkuFolders(home, data)
    program = (sys.executable, "-m", f"tests.dokku.{PROGRAM.stem}", str(home))
    return DokkuOverSsh("dokku@old.example.org", program)


def test_all_of_an_app_is_found(host: DokkuHost) -> None:
    assert host.apps() == ("blog", "shop")
    found = host.read("shop")
    assert found.config == {"NAME": 'a "b" $c \\ d\ne', "NUMBER": "12"}
    assert found.domains == ("shop.example.org", "www.shop.example.org")
    assert found.scale == {"web": 2, "worker": 1}
    assert found.branch == "main"
    assert found.certificate
    assert b"PRIVATE KEY" in found.certificate
    assert host.config() == {"SHARED": "1"}


def test_an_app_with_nothing_is_found_too(host: DokkuHost) -> None:
    found = host.read("blog")
    assert (dict(found.config), found.domains, dict(found.scale)) == ({}, (), {})
    assert found.certificate is None


def test_old_ways_of_writing_are_read() -> None:
    assert parse_env("export A='it'\\''s'\nexport B=''\nC=\n") == {"A": "it's", "B": "", "C": ""}
    assert parse_scale("web=1\nnot a line\nclock: 3\n") == {"web": 1, "clock": 3}


def test_options_and_mounts_are_told_as_left(tmp_path: Path) -> None:
    place = make_app(tmp_path / "dokku", tmp_path / "lib", "shop")
    (place / "DOCKER_OPTIONS_DEPLOY").write_text("-v /srv/data:/data\n--privileged\n")
    found = DokkuFolders(tmp_path / "dokku", tmp_path / "lib").read("shop")
    assert found.left == (
        "docker option for deploy: -v /srv/data:/data",
        "docker option for deploy: --privileged",
    )


def test_a_host_that_refuses_is_named(tmp_path: Path) -> None:
    program = (sys.executable, "-c", "import sys; sys.exit('Permission denied (publickey).')")
    with pytest.raises(Unavailable) as seen:
        DokkuOverSsh("dokku@old.example.org", program).apps()
    assert "Permission denied" in " ".join(seen.value.details)


@pytest.mark.parametrize(
    "target", ["-oProxyCommand=x@h", "a b@h", "host", "u@-h", "u@h\n", "u@h;x"]
)
def test_a_target_is_user_and_host(target: str) -> None:
    assert not TARGET.fullmatch(target)


@pytest.mark.parametrize("name", ["ENV", "VHOST", "tls/server.key", "DOCKER_OPTIONS_DEPLOY"])
def test_a_link_out_of_the_folders_is_refused(tmp_path: Path, name: str) -> None:
    place = make_app(tmp_path / "dokku", tmp_path / "lib", "shop")
    add_certificate(place, "shop.example.org")
    (tmp_path / "secret").write_text("KEY=of-the-host\n")
    (place / name).unlink(missing_ok=True)
    (place / name).symlink_to(tmp_path / "secret")
    with pytest.raises(PaasError, match="which is not Dokku's"):
        DokkuFolders(tmp_path / "dokku", tmp_path / "lib").read("shop")


def test_folders_may_be_links_themselves_and_lead_to_each_other(tmp_path: Path) -> None:
    place = make_app(tmp_path / "dokku", tmp_path / "lib", "shop", env='KEY="1"\n')
    (tmp_path / "home").symlink_to(tmp_path / "dokku")
    (tmp_path / "lib").mkdir()
    (place / "ENV").rename(tmp_path / "lib" / "env")
    (place / "ENV").symlink_to(tmp_path / "lib" / "env")
    assert DokkuFolders(tmp_path / "home", tmp_path / "lib").read("shop").config == {"KEY": "1"}
