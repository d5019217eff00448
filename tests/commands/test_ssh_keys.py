import json

import pytest

from tests.commands.conftest import ANNA, Person

PRINT = "SHA256:"


def authorized(paas: Person) -> str:
    return (paas.settings.door / "authorized_keys").read_text()


def test_an_added_key_opens_the_doors_and_its_fingerprint_is_shown(paas: Person) -> None:
    typed = paas("ssh-keys:add", "anna", text_in=ANNA)
    assert typed.status == 0, typed.err
    (key,) = paas.store.keys.list()
    assert key.fingerprint in typed.out
    assert f"--key {key.fingerprint}" in authorized(paas)
    assert authorized(paas).endswith(f"{ANNA.split()[1]} anna\n")


def test_a_removed_key_is_gone_from_the_doors(paas: Person) -> None:
    paas("ssh-keys:add", "anna", text_in=ANNA)
    assert paas("ssh-keys:remove", "anna").status == 0
    assert authorized(paas) == ""
    assert paas("ssh-keys:remove", "anna").status != 0


@pytest.mark.parametrize("text", ["", "nonsense\n", ANNA * 2, f"no-pty {ANNA}"])
def test_what_is_not_one_key_is_refused(paas: Person, text: str) -> None:
    assert paas("ssh-keys:add", "anna", text_in=text).status == 2
    assert paas.store.keys.list() == ()


def test_a_key_is_added_once_and_a_name_too(paas: Person) -> None:
    paas("ssh-keys:add", "anna", text_in=ANNA)
    assert paas("ssh-keys:add", "ben", text_in=ANNA).status == 1
    assert paas("ssh-keys:add", "a b", text_in=ANNA).status == 2
    assert len(authorized(paas).splitlines()) == 1


def test_the_list_has_fingerprints(paas: Person) -> None:
    paas("ssh-keys:add", "anna", text_in=ANNA)
    (entry,) = json.loads(paas("ssh-keys:list", "--format", "json").out)
    assert entry["name"] == "anna"
    assert entry["fingerprint"].startswith(PRINT)
    assert f"anna  {entry['fingerprint']}  ssh-ed25519" in paas("ssh-keys:list").out


def test_keys_are_managed_on_the_host_only(paas: Person) -> None:
    for argv in (("ssh-keys:add", "x"), ("ssh-keys:remove", "anna")):
        typed = paas.over_ssh(*argv, text_in=ANNA)
        assert typed.status == 1
        assert "root on the host" in typed.err
    assert len(paas.store.keys.list()) == 1
