import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas import model
from paas.errors import InvalidName


@pytest.mark.parametrize("name", ["a", "shop", "my-shop-2", "a" * 40])
def test_plain_names_are_app_names(name: str) -> None:
    assert model.app_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "1a", "-a", "a-", "a--b", "a_b", "a.b", "a\n", "a" * 41, "../x", "paas", "é", "a٣"],
)
def test_hostile_and_reserved_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        model.app_name(name)


@given(st.text())
def test_whatever_is_accepted_as_an_app_name_is_safe_in_a_path_and_a_host_name(text: str) -> None:
    try:
        name = model.app_name(text)
    except InvalidName:
        return
    assert name.isascii()
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not name.startswith("-")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("Shop.Example.ORG", "shop.example.org"), ("bücher.example.", "xn--bcher-kva.example")],
)
def test_domains_are_normalised(typed: str, stored: str) -> None:
    assert model.domain_name(typed) == stored


@pytest.mark.parametrize(
    "domain",
    ["", ".", "*.example.org", "~^x", "a_b.org", "http://a.org", "a.org:80", "a b.org", "-a.org",
     "a;b.org", "a.org\n", "x" * 64 + ".org", ".".join(["abcdefgh"] * 32)],
)  # fmt: skip
def test_what_is_not_a_plain_host_name_is_refused(domain: str) -> None:
    with pytest.raises(InvalidName):
        model.domain_name(domain)


@pytest.mark.parametrize("key", ["PORT", "HOME", "PAAS_X", "DOCKER_HOST", "1A", "A-B", "", "A=B"])
def test_config_keys_that_are_ours_or_no_identifiers_are_refused(key: str) -> None:
    with pytest.raises(InvalidName):
        model.config_key(key)


def test_an_app_cannot_be_made_with_a_bad_name() -> None:
    with pytest.raises(InvalidName):
        model.App(id=1, name="../etc", network_index=0, created_at=0.0)


def test_each_app_has_a_user_id_of_its_own_that_is_never_root() -> None:
    app = model.App(id=7, name="shop", network_index=0, created_at=0.0)
    assert app.uid == 200_007


@pytest.mark.parametrize("state", list(model.DeployState))
def test_only_done_failed_and_cancelled_are_final(state: model.DeployState) -> None:
    assert state.is_final == (state.value in {"done", "failed", "cancelled"})
