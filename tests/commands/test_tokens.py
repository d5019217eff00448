import json
import time

import pytest

from paas.commands import tokens
from paas.keys import parse_key
from paas.model import App
from tests.commands.conftest import Person, public_key

CI = public_key("ci")


@pytest.fixture
def owner(paas: Person, shop: App) -> Person:
    paas.user("carla", "owner", "shop")
    paas.user("ben", "deployer", "shop")
    return paas


def create(paas: Person, *more: str, text_in: str = CI) -> int:
    return paas.typing("carla", "tokens:create", "shop", "ci", *more, text_in=text_in).status


def test_a_token_pushes_to_its_app_and_opens_the_door(owner: Person) -> None:
    assert create(owner) == 0
    assert owner.typing("ci", "git-receive-pack", "/shop", text_in="web: more").status == 0
    assert owner.store.deploys.list()[0].actor == "shop:ci"
    assert CI.split()[1] in (owner.settings.door / "authorized_keys").read_text()


@pytest.mark.parametrize(
    "argv",
    [
        ("logs", "shop"),
        ("config:show", "shop"),
        ("git-upload-pack", "shop"),
        ("apps:create", "new"),
        ("apps:list",),
        ("ssh-keys:list",),
        ("users:report",),
        ("tokens:list", "shop"),
        ("audit:list",),
        ("ssh-keys:add", "eve"),
    ],
)
def test_a_token_does_nothing_else(owner: Person, argv: tuple[str, ...]) -> None:
    create(owner)
    typed = owner.typing("ci", *argv)
    assert (typed.status, typed.out) == (1, "")
    assert "The token shop:ci may not use" in typed.err
    assert "It may use: git-receive-pack" in typed.err


def test_a_token_knows_no_other_app_and_makes_none(owner: Person) -> None:
    owner("apps:create", "shopping")
    create(owner)
    hidden = owner.typing("ci", "git-receive-pack", "shopping", text_in="web: evil")
    missing = owner.typing("ci", "git-receive-pack", "shoppinh", text_in="web: evil")
    assert hidden.status == missing.status == 20
    assert hidden.err.replace("shopping", "shoppinh") == missing.err
    assert [app.name for app in owner.store.apps.list()] == ["shop", "shopping"]


def test_a_token_may_ask_for_help(owner: Person) -> None:
    create(owner)
    assert owner.typing("ci", "version").status == 0
    assert owner.typing("ci", "help", "logs").status == 0


def test_a_token_holds_the_verbs_that_it_was_given(owner: Person) -> None:
    assert create(owner, "--verb", "ps:report", "--verb", "config:keys") == 0
    assert owner.typing("ci", "ps:report", "shop").status == 0
    assert owner.typing("ci", "config:keys", "shop").status == 0
    assert list(json.loads(owner.typing("ci", "ps:report", "--format", "json").out)) == ["shop"]
    assert owner.typing("ci", "git-receive-pack", "shop", text_in="web: x").status == 1


@pytest.mark.parametrize(
    "verb", ["apps:destroy", "access:grant", "tokens:create", "users:add", "apps:create", "nope"]
)
def test_what_people_do_cannot_be_held(owner: Person, verb: str) -> None:
    assert create(owner, "--verb", verb) == 2
    assert owner.store.tokens.of_app(owner.store.apps.get("shop").id) == ()


def test_a_generated_key_is_printed_once_and_alone(owner: Person) -> None:
    typed = owner.typing("carla", "tokens:create", "shop", "ci", "--generate")
    assert typed.status == 0
    assert typed.out.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert typed.out.endswith("-----END OPENSSH PRIVATE KEY-----\n")
    assert "PRIVATE" not in owner.typing("carla", "tokens:list", "shop", "--format", "json").out
    assert "may use git-receive-pack on shop" in typed.err


def test_a_token_ends_with_its_day(owner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert create(owner, "--expires", "2d") == 0
    assert owner.typing("ci", "version").status == 0
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 2 * 86400 + 1)
    assert owner.typing("ci", "version").status == 1
    assert owner.store.keys.authorized()[-1].name != "ci"
    (row,) = json.loads(owner("tokens:list", "shop", "--format", "json").out)
    assert row["expired"]
    assert "over since" in owner("tokens:list", "shop").out


@pytest.mark.parametrize("expires", ["2020-01-01", "0d", "soon", "٣d", "2026-13-01"])
def test_a_token_is_not_made_for_the_past(owner: Person, expires: str) -> None:
    assert create(owner, "--expires", expires) == 2


def test_a_revoked_token_is_nobody(owner: Person) -> None:
    create(owner)
    assert owner.typing("carla", "tokens:revoke", "shop", "ci").status == 0
    assert owner.typing("ci", "version").status == 1
    assert CI.split()[1] not in (owner.settings.door / "authorized_keys").read_text()
    assert owner.typing("carla", "tokens:revoke", "shop", "ci").status == 20


def test_a_token_goes_with_its_app(owner: Person) -> None:
    create(owner)
    owner("apps:destroy", "shop", "--force")
    owner("apps:create", "shop")
    assert owner.typing("ci", "git-receive-pack", "shop", text_in="web: x").status == 1


def test_only_owners_make_and_see_tokens(owner: Person) -> None:
    for argv in (
        ("tokens:create", "shop", "x"),
        ("tokens:list", "shop"),
        ("tokens:revoke", "shop", "ci"),
    ):
        assert owner.typing("ben", *argv, text_in=CI).status == 1
    assert owner.typing("ben", "tokens:list", "--format", "json").out == "{}\n"


def test_a_key_is_one_actor(owner: Person) -> None:
    assert create(owner, text_in=public_key("ben")) == 1
    create(owner)
    again = owner.typing("carla", "tokens:create", "shop", "ci2", text_in=CI)
    assert (again.status, "in use already" in again.err) == (1, True)
    assert create(owner, text_in=public_key("other")) == 1, "the name is taken"
    added = owner("ssh-keys:add", "eve", text_in=CI)
    assert "that of the token shop:ci" in added.err


def test_who_removes_a_user_is_told_of_the_tokens_that_stay(owner: Person) -> None:
    create(owner)
    assert "tokens:revoke shop ci" in owner("users:remove", "carla").out
    assert owner.store.users.actor(parse_key("ci", CI).fingerprint)


@pytest.mark.parametrize("verb", [("access:grant", "viewer"), ("access:revoke",)])
def test_who_takes_an_owner_s_role_is_told_of_the_tokens_that_stay(
    owner: Person, verb: tuple[str, ...]
) -> None:
    create(owner)
    typed = owner(verb[0], "shop", "carla", *verb[1:])
    assert (typed.status, "tokens:revoke shop ci" in typed.out) == (0, True)
    assert "tokens:revoke" not in owner("access:grant", "shop", "carla", "owner").out


def test_one_user_makes_so_many_tokens_and_an_admin_more(
    owner: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "MOST", 1)
    assert create(owner) == 0
    typed = owner.typing("carla", "tokens:create", "shop", "two", text_in=public_key("two"))
    assert (typed.status, "1 tokens already" in typed.err) == (1, True)
    assert owner.over_ssh("tokens:create", "shop", "two", text_in=public_key("two")).status == 0
    assert owner.over_ssh("tokens:create", "shop", "three", text_in=public_key("3")).status == 0
