from pathlib import Path

import pytest

from paas.errors import Unavailable
from paas.settings import Settings
from paas.setup.host import give_default_server_back, include_in_nginx

CONF = "http {\n  include %s/conf.d/*.conf;\n  include %s/sites-enabled/*;\n}\n"
OWN_DEFAULT = "server { listen 80 default_server; root /srv/shop; }\n"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    etc = tmp_path / "etc"
    for folder in ("conf.d", "sites-enabled", "sites-available"):
        (etc / folder).mkdir(parents=True)
    (tmp_path / "data" / "nginx").mkdir(parents=True)
    (etc / "nginx.conf").write_text(CONF % (etc, etc))
    return Settings(root=tmp_path / "data", nginx_conf=etc / "nginx.conf")


def test_one_file_includes_the_vhosts_and_is_written_once(settings: Settings) -> None:
    said: list[str] = []
    include_in_nginx(settings, said.append)
    file = settings.nginx_conf.parent / "conf.d" / "paas.conf"
    assert f"include {settings.root}/nginx/paas.con[f];" in file.read_text()
    assert (settings.nginx / "unread").exists()  # so that kept vhosts are served again
    said.clear()
    include_in_nginx(settings, said.append)
    assert said == []


def test_the_owner_s_default_server_stays_and_is_named(settings: Settings) -> None:
    site = settings.nginx_conf.parent / "sites-enabled" / "shop"
    site.write_text(OWN_DEFAULT)
    said: list[str] = []
    include_in_nginx(settings, said.append)
    assert site.read_text() == OWN_DEFAULT
    assert any(str(site) in line for line in said)


def test_an_edited_placeholder_of_the_package_stays(settings: Settings) -> None:
    etc = settings.nginx_conf.parent
    (etc / "sites-available" / "default").write_text(OWN_DEFAULT)
    link = etc / "sites-enabled" / "default"
    link.symlink_to(etc / "sites-available" / "default")
    include_in_nginx(settings, str)
    assert link.is_symlink()


def test_a_configuration_that_includes_the_vhosts_itself_is_left_alone(settings: Settings) -> None:
    settings.nginx_conf.write_text(f"http {{ include {settings.nginx}/paas.conf; }}")
    include_in_nginx(settings, str)
    assert list((settings.nginx_conf.parent / "conf.d").iterdir()) == []


def test_a_configuration_without_conf_d_is_not_edited(settings: Settings) -> None:
    settings.nginx_conf.write_text("http { }")
    said: list[str] = []
    include_in_nginx(settings, said.append)
    assert f"include {settings.root}/nginx/paas.conf;" in said[0]
    assert settings.nginx_conf.read_text() == "http { }"


def test_a_host_without_nginx_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as caught:
        include_in_nginx(Settings(nginx_conf=tmp_path / "nginx.conf"), str)
    assert "apt-get install nginx-light" in caught.value.hint


@pytest.mark.parametrize("was_there", [True, False])
def test_the_placeholder_comes_back_only_where_it_was_taken(
    settings: Settings, *, was_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    etc = settings.nginx_conf.parent
    stock, link = etc / "sites-available" / "default", etc / "sites-enabled" / "default"
    stock.write_text("server { listen 80 default_server; }\n")
    if was_there:
        link.symlink_to(stock)
    monkeypatch.setattr("paas.setup.host._is_stock", lambda file: file == stock)
    include_in_nginx(settings, str)
    assert not link.is_symlink()
    give_default_server_back(settings)
    assert link.is_symlink() == was_there
