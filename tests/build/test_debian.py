from pathlib import Path

import pytest

from paas.build.debian import KEYS, apt_sources, debian_keys, local_authorities

PEM = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


def test_a_host_that_names_no_mirror_takes_debian_s_own_and_its_keys(tmp_path: Path) -> None:
    assert apt_sources("trixie", tmp_path) == (
        "deb http://deb.debian.org/debian trixie main",
        "deb http://deb.debian.org/debian trixie-updates main",
        "deb http://deb.debian.org/debian-security trixie-security main",
    )
    assert debian_keys(tmp_path) == (f"--keyring={KEYS}",)


def test_updates_and_security_come_from_the_same_place(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://mirror.corp/debian bookworm main\n")
    assert apt_sources("trixie", tmp_path) == (
        "deb http://mirror.corp/debian trixie main",
        "deb http://mirror.corp/debian trixie-updates main",
        "deb http://mirror.corp/debian-security trixie-security main",
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sources.list", "deb http://mirror.corp/debian/ bookworm main\n"),
        ("sources.list.d/a.list", "deb [signed-by=/k.gpg] http://mirror.corp/debian bookworm main"),
        ("sources.list.d/a.sources", "Types: deb\nURIs: http://mirror.corp/debian\nSuites: x\n"),
    ],
)
def test_the_company_s_mirror_is_found_in_every_form(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / name).write_text(text)
    assert apt_sources("trixie", tmp_path)[0] == "deb http://mirror.corp/debian trixie main"
    assert debian_keys(tmp_path) == ()  # the host's apt trusts it already


def test_other_repositories_and_comments_are_no_mirror(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text(
        "# deb http://old.example/debian bookworm main\n"
        "deb https://packages.example/apt cloud main\n"
        "deb http://archive.example/ubuntu noble main\n"
    )
    assert apt_sources("trixie", tmp_path)[0] == "deb http://deb.debian.org/debian trixie main"


def test_a_company_s_https_mirror_stays_https(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb https://mirror.corp/debian bookworm main\n")
    assert apt_sources("trixie", tmp_path)[0] == "deb https://mirror.corp/debian trixie main"


def test_only_authorities_that_no_package_ships_are_the_host_s_own(tmp_path: Path) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    (shipped / "Public.crt").write_text(PEM.format("public"))
    bundle = tmp_path / "bundle.crt"
    bundle.write_text(PEM.format("public") + PEM.format("company") + PEM.format("company"))
    assert local_authorities(bundle, shipped) == (PEM.format("company").strip(),)


def test_a_missing_bundle_has_no_authorities(tmp_path: Path) -> None:
    assert local_authorities(tmp_path / "none.crt") == ()
