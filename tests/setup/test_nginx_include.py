from pathlib import Path

import pytest

from paas.errors import Unavailable
from paas.settings import Settings
from paas.setup.host import give_default_server_back, include_in_nginx
from tests.claims import free_port

# What nginx opens also for `nginx -t` is below the test's own folder.
CONF = """\
pid ETC/nginx.pid;
error_log ETC/error.log;
events { }
http {
    access_log off;
    client_body_temp_path ETC/body;
    proxy_temp_path ETC/proxy;
    fastcgi_temp_path ETC/fastcgi;
    uwsgi_temp_path ETC/uwsgi;
    scgi_temp_path ETC/scgi;
    include ETC/conf.d/*.conf;
    include ETC/sites-enabled/*;
}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return host_with_nginx(tmp_path, root=tmp_path / "data")


def host_with_nginx(folder: Path, root: Path) -> Settings:
    etc = folder / "etc"
    for name in ("conf.d", "sites-enabled", "sites-available"):
        (etc / name).mkdir(parents=True)
    (root / "nginx").mkdir(parents=True)
    (etc / "nginx.conf").write_text(CONF.replace("ETC", str(etc)))
    return Settings(root=root, nginx_conf=etc / "nginx.conf", http_port=free_port())


def include_of(settings: Settings) -> Path:
    return settings.nginx_conf.parent / "conf.d" / "paas.conf"


def own_default(settings: Settings) -> str:
    return f"server {{ listen {settings.http_port} default_server; root /srv/shop; }}\n"


def test_one_file_includes_the_vhosts_and_is_written_once(settings: Settings) -> None:
    said: list[str] = []
    include_in_nginx(settings, said.append)
    assert f"include {settings.root}/nginx/paas.con[f];" in include_of(settings).read_text()
    assert (settings.nginx / "unread").exists()  # so that kept vhosts are served again
    said.clear()
    include_in_nginx(settings, said.append)
    assert said == []


def test_the_owner_s_default_server_stays_and_is_named(settings: Settings) -> None:
    site = settings.nginx_conf.parent / "sites-enabled" / "shop"
    site.write_text(own_default(settings))
    said: list[str] = []
    include_in_nginx(settings, said.append)
    assert site.read_text() == own_default(settings)
    assert any(str(site) in line for line in said)


def test_an_edited_placeholder_of_the_package_stays(settings: Settings) -> None:
    etc = settings.nginx_conf.parent
    (etc / "sites-available" / "default").write_text(own_default(settings))
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
    stock.write_text(own_default(settings))
    if was_there:
        link.symlink_to(stock)
    monkeypatch.setattr("paas.setup.host._is_stock", lambda file: file == stock)
    include_in_nginx(settings, str)
    assert not link.is_symlink()
    give_default_server_back(settings)
    assert link.is_symlink() == was_there


def test_a_file_that_nginx_refuses_is_taken_back_and_nginx_s_words_are_shown(
    tmp_path: Path,
) -> None:
    settings = host_with_nginx(tmp_path, root=tmp_path / "my data")
    said: list[str] = []
    with pytest.raises(Unavailable, match=r"nginx refused .*/conf\.d/paas\.conf") as caught:
        include_in_nginx(settings, said.append)
    assert caught.value.details[0].startswith('invalid number of arguments in "include"')
    assert "paas setup" in caught.value.hint
    assert not include_of(settings).exists()
    assert said == []


def test_what_stood_in_the_file_before_is_put_back(tmp_path: Path) -> None:
    settings = host_with_nginx(tmp_path, root=tmp_path / "my data")
    include_of(settings).write_text("# Written by an older paas.\n")
    with pytest.raises(Unavailable):
        include_in_nginx(settings, str)
    assert include_of(settings).read_text() == "# Written by an older paas.\n"


def test_a_configuration_that_was_broken_before_is_named_as_the_owner_s(settings: Settings) -> None:
    broken = settings.nginx_conf.parent / "sites-enabled" / "shop"
    broken.write_text("listne 80;\n")
    with pytest.raises(Unavailable, match=r"own configuration is broken: .*listne") as caught:
        include_in_nginx(settings, str)
    assert str(broken) in caught.value.hint
    assert not include_of(settings).exists()


def test_a_host_whose_nginx_program_is_gone_is_told_what_to_install(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unavailable, match="nginx cannot be run") as caught:
        include_in_nginx(settings, str)
    assert "apt-get install nginx" in caught.value.hint
    assert not include_of(settings).exists()


def test_vhosts_that_were_kept_and_that_nginx_would_refuse_by_now_stop_nothing(
    settings: Settings,
) -> None:
    """They are made anew from the database, by a later step that knows what to leave out."""
    (settings.nginx / "paas.conf").write_text(own_default(settings))
    site = settings.nginx_conf.parent / "sites-enabled" / "shop"
    site.write_text(own_default(settings))
    include_in_nginx(settings, str)
    assert include_of(settings).exists()


def test_vhosts_that_nginx_reads_already_are_left_alone(settings: Settings) -> None:
    include_in_nginx(settings, str)
    (settings.nginx / "paas.conf").write_text("# shop\n")
    file = include_of(settings)
    file.write_text(f"# An older paas wrote this.\n{file.read_text()}")
    include_in_nginx(settings, str)
    assert (settings.nginx / "paas.conf").read_text() == "# shop\n"
