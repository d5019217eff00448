import json
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from paas.errors import InvalidName, UsageError
from paas.settings import Settings, load


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "paas.toml"
    file.write_text('domain = "apps.example.org"\nssh_port = 2200\n')
    settings = load({"PAAS_SSH_PORT": "2300"}, file)
    assert (settings.domain, settings.ssh_port, settings.http_port) == (
        "apps.example.org",
        2300,
        80,
    )


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    file = tmp_path / "paas.toml"
    file.write_text("shh_port = 1\n")
    with pytest.raises(UsageError, match="shh_port"):
        load({}, file)


@pytest.mark.parametrize(
    "variables",
    [{"PAAS_SSH_PORT": "٢٢"}, {"PAAS_SSH_PORT": "22x"}, {"PAAS_ROOT": "relative"}],
)
def test_a_value_that_is_not_of_its_type_is_refused(variables: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        load(variables, Path("/nonexistent"))


@pytest.mark.parametrize("path", ["/srv/my data", "/srv/a;b", "/srv/%h", "/srv/ä", "/srv/a\n"])
@pytest.mark.parametrize("key", ["root", "nginx_conf", "nginx_pid", "ca_bundle"])
def test_a_path_that_nginx_units_or_shells_would_misread_is_refused(
    tmp_path: Path, key: str, path: str
) -> None:
    file = tmp_path / "paas.toml"
    file.write_text(f"{key} = {json.dumps(path)}\n")
    with pytest.raises(UsageError, match=f"Setting {key} cannot be") as caught:
        load({}, file)
    assert "letters, digits and . _ / + @ -" in caught.value.hint


def test_a_path_of_harmless_characters_is_taken() -> None:
    path = "/srv/A.b_c+d@e-9"
    assert load({"PAAS_ROOT": path}, Path("/nonexistent")).root == Path(path)


def test_an_instance_id_that_could_break_names_is_refused() -> None:
    with pytest.raises(InvalidName):
        Settings(instance="a/b")


def test_two_apps_never_share_an_address() -> None:
    settings = Settings()
    subnets = [settings.subnet(index) for index in (0, 1, 2047)]
    assert not subnets[0].overlaps(subnets[1])
    assert subnets[2].subnet_of(settings.subnet(0).supernet(new_prefix=16))
    assert settings.service_address(1, 1) == IPv4Address("10.214.0.33")


@pytest.mark.parametrize("instance", ["paas", "abcdefghijkl"])
def test_bridge_names_fit_the_kernel_s_limit(instance: str) -> None:
    assert len(Settings(instance=instance).bridge(2047)) <= 15


def test_a_url_names_the_port_only_when_it_is_not_the_usual_one() -> None:
    assert Settings().app_url("a.b") == "http://a.b"
    assert Settings(http_port=8080).app_url("a.b") == "http://a.b:8080"


def test_the_hosts_own_proxy_is_used_unless_the_file_says_another() -> None:
    nowhere = Path("/nonexistent")
    environ = {"HTTPS_PROXY": "http://proxy:3128", "no_proxy": "corp.example.org, .x.org"}
    settings = load(environ, nowhere)
    assert settings.proxy_to("github.com") == "http://proxy:3128"
    assert {settings.proxy_to(h) for h in ("a.corp.example.org", "x.org", "A.X.org")} == {""}
    assert load(environ | {"PAAS_HTTPS_PROXY": ""}, nowhere).proxy_to("github.com") == ""
    assert load({"https_proxy": "socks5://proxy:1"}, nowhere).https_proxy == ""
    with pytest.raises(UsageError):
        load({"PAAS_HTTPS_PROXY": "proxy:3128"}, nowhere)


def test_users_are_shown_the_port_that_they_have_to_name() -> None:
    plain = Settings()
    assert plain.ssh_command == "ssh -p 2222 paas@localhost"
    assert plain.remote("shop") == "ssh://paas@localhost:2222/shop"
    behind = Settings(openssh=True)
    assert behind.ssh_command == "ssh paas@localhost"
    assert behind.remote("shop") == "ssh://paas@localhost/shop"
