"""config:export, config:bundle and config:import."""

import io
import json
import sys
import tarfile
from pathlib import Path

import pytest

from paas.envfile import FORMATS, bundle
from paas.model import App
from tests.commands.conftest import Person, started_with

RAW = {"exports", "envfile", "docker-args", "shell", "pretty"}  # the others escape, or have keys
WILD = "two\nlines \"q\" 'a' $HOME `x` \\ !\r#"


def test_the_default_export_is_for_a_shell(paas: Person) -> None:
    paas("apps:create", "new")
    paas("config:set", "new", "B=it's", "A=1")
    assert paas("config:export", "new").out == "export A='1'\nexport B='it'\\''s'\n"
    assert paas("config:export", "--format", "shell", "new").out == "A='1' B='it'\\''s'\n"


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("envfile", 'A=1\nB="two words"'),
        ("docker-args", "--env=A='1' --env=B='two words'"),
        ("docker-args-keys", "--env=A --env=B"),
        ("pack-keys", "--env A --env B"),
        ("pretty", "A:  1\nB:  two words"),
        ("json", '{"A": "1", "B": "two words"}'),
        ("json-list", '[{"name": "A", "value": "1"}, {"name": "B", "value": "two words"}]'),
    ],
)
def test_each_format_is_dokkus(paas: Person, style: str, text: str) -> None:
    paas("apps:create", "new")
    paas("config:set", "new", "A=1", "B=two words")
    assert paas("config:export", "--format", style, "new").out == f"{text}\n"


@pytest.mark.parametrize("style", ["envfile", "json"])
def test_what_was_exported_can_be_imported_byte_by_byte(paas: Person, style: str) -> None:
    for name in ("old", "new"):
        paas("apps:create", name)
    paas("config:set", "old", f"WILD={WILD}", "ZERO=007", "EMPTY=", "NUMBER=-3")
    text = paas("config:export", "--format", style, "old").out
    typed = paas("config:import", "--format", style, "new", "-", text_in=text)
    assert typed.status == 0, typed.err
    stored = [paas.store.config.get(paas.store.apps.get(name).id) for name in ("old", "new")]
    assert stored[0] == stored[1]
    assert "two" not in typed.out


@pytest.mark.parametrize("style", FORMATS)
def test_no_format_steers_a_terminal_and_a_pipe_gets_every_byte(
    paas: Person, monkeypatch: pytest.MonkeyPatch, style: str
) -> None:
    paas("apps:create", "new")
    paas("config:set", "new", "A=x\x1b]0;owned\x07\x9b2Jy\ttab")
    piped = paas("config:export", "--format", style, "new").out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    shown = paas("config:export", "--format", style, "new").out
    assert not set(shown) & set("\x1b\x07\x9b")
    assert ("\x1b]0;owned\x07" in piped) == (style in RAW)


def test_a_bundle_is_not_written_to_a_terminal(
    paas: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    paas("apps:create", "new")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert paas("config:bundle", "new").status == 2


def test_an_import_makes_one_release_and_replaces_on_demand(paas: Person, shop: App) -> None:
    paas("config:set", "shop", "KEEP=1", "CHANGE=1")
    text = "# comment\n\nexport CHANGE = 2 # why\nNEW='a # b'\n"
    assert paas("config:import", "shop", "-", text_in=text).status == 0
    assert started_with(paas) == {"CHANGE": "2", "KEEP": "1", "NEW": "a # b"}
    assert paas.store.apps.get("shop").version == 3
    typed = paas("config:import", "--replace", "shop", "-", text_in=text)
    assert "-KEEP" in typed.out
    assert started_with(paas) == {"CHANGE": "2", "NEW": "a # b"}
    assert "nothing differs" in paas("config:import", "shop", "-", text_in=text).out
    assert paas.store.apps.get("shop").version == 4


@pytest.mark.parametrize(
    "text", ["hunter22", 'A="hunter22', "A='hunter22", "A='x' hunter22", "B=1\nA-B=hunter22"]
)
def test_a_broken_file_is_refused_without_showing_a_value(
    paas: Person, shop: App, text: str
) -> None:
    typed = paas("config:import", "shop", "-", text_in=text)
    assert typed.status == 2
    assert "hunter22" not in typed.out + typed.err
    assert paas.store.config.get(shop.id) == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"A": 1}', "[" * 100_000])
def test_broken_json_is_refused(paas: Person, shop: App, text: str) -> None:
    assert paas("config:import", "--format", "json", "shop", "-", text_in=text).status == 2


def test_a_file_on_the_host_is_for_root_there_alone(
    paas: Person, shop: App, tmp_path: Path
) -> None:
    file = tmp_path / "vars"
    file.write_text("A=1\n")
    assert paas.over_ssh("config:import", "shop", str(file)).status == 2
    assert paas("config:import", "shop", "vars").status == 2
    assert paas("config:import", "shop", str(tmp_path / "missing")).status == 1
    assert paas.store.config.get(shop.id) == {}
    assert paas("config:import", "shop", str(file)).status == 0
    assert paas.store.config.get(shop.id) == {"A": "1"}


def test_a_bundle_has_a_file_per_var() -> None:
    with tarfile.open(fileobj=io.BytesIO(bundle({"A": "1", "WILD": WILD}))) as tar:
        found = {entry.name: tar.extractfile(entry).read().decode() for entry in tar}  # type: ignore[union-attr] # all are files
        assert {entry.mode for entry in tar} == {0o600}
    assert found == {"A": "1", "WILD": WILD}


def test_all_formats_are_valid_for_an_app_without_vars(paas: Person) -> None:
    paas("apps:create", "new")
    assert json.loads(paas("config:export", "--format", "json-list", "new").out) == []
    assert paas("config:export", "new").out == "\n"
    assert paas("config:export", "--envfile", "new").status == 0
