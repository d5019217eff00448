import json
from typing import Any

import pytest

from paas import access
from paas.model import App
from tests.commands.conftest import Person, Typed


@pytest.fixture
def team(paas: Person, shop: App) -> Person:
    """carla owns the shop, ben deploys it, vera views it; dora, a member too, has no role."""
    for name, role in (("carla", "owner"), ("ben", "deployer"), ("vera", "viewer")):
        paas.user(name, role, "shop")
    paas.user("dora")
    return paas


@pytest.mark.parametrize(
    ("argv", "may"),
    [
        (("apps:report", "shop"), {"vera", "ben", "carla"}),
        (("config:keys", "shop"), {"vera", "ben", "carla"}),
        (("config:show", "shop"), {"ben", "carla"}),
        (("config:set", "--no-restart", "shop", "A=1"), {"ben", "carla"}),
        (("access:list", "shop"), {"vera", "ben", "carla"}),
        (("access:grant", "shop", "dora", "viewer"), {"carla"}),
        (("apps:destroy", "shop", "--force"), {"carla"}),
    ],
)
def test_a_role_covers_what_smaller_ones_may(
    team: Person, argv: tuple[str, ...], may: set[str]
) -> None:
    typed = {name: team.typing(name, *argv) for name in ("dora", "vera", "ben", "carla")}
    assert {name for name, each in typed.items() if each.status == 0} == may
    assert typed["dora"].status == 20


def test_a_role_that_is_too_small_is_told_so_with_whom_to_ask(team: Person) -> None:
    typed = team.typing("vera", "config:show", "shop")
    assert (typed.status, typed.out) == (1, "")
    assert "needs the role deployer at shop; you are its viewer" in typed.err
    assert "access:grant shop vera deployer" in typed.err


def answers(team: Person, name: str, *argv: str) -> tuple[Typed, Typed]:
    """Return what the shop answers, and what an app of the same length that is missing does."""
    hidden = team.typing(name, *argv, "shop")
    missing = team.typing(name, *argv, "nope")
    return hidden, Typed(
        missing.status, missing.out.replace("nope", "shop"), missing.err.replace("nope", "shop")
    )


@pytest.mark.parametrize("verb", ["apps:exists", "logs", "git-upload-pack", "ps:restart"])
def test_an_app_without_a_role_is_one_that_does_not_exist(team: Person, verb: str) -> None:
    hidden, missing = answers(team, "dora", verb)
    assert hidden == missing
    assert hidden.status == 20
    assert hidden.err.startswith(" !     App shop does not exist\n")


def test_a_hint_names_only_apps_that_are_seen(team: Person) -> None:
    assert "Did you mean shop?" in team.typing("vera", "apps:exists", "shopp").err
    assert "shop?" not in team.typing("dora", "apps:exists", "shopp").err
    team.typing("dora", "apps:create", "shops")
    assert "Did you mean shops?" in team.typing("dora", "apps:exists", "shopp").err


def test_a_push_to_an_app_without_a_role_is_told_that_it_does_not_exist(team: Person) -> None:
    pushed = team.typing("dora", "git-receive-pack", "/shop.git", text_in="web: evil")
    assert (pushed.status, pushed.out) == (20, "")
    assert "App shop does not exist" in pushed.err
    assert team.store.apps.get("shop").version == 1
    assert team.typing("vera", "git-receive-pack", "shop", text_in="web: evil").status == 1


@pytest.mark.parametrize("is_key", [True, False])
def test_a_push_is_refused_whose_right_was_taken_away_while_it_arrived(
    team: Person, monkeypatch: pytest.MonkeyPatch, is_key: bool
) -> None:
    receive = team.repos.receive

    def take_away_and_receive(app: App, *rest: Any) -> int:
        if is_key:
            team.store.users.remove("ben")
        else:
            team.store.grants.remove(app.id, "ben")
        return receive(app, *rest)

    monkeypatch.setattr(team.repos, "receive", take_away_and_receive)
    assert team.typing("ben", "git-receive-pack", "shop", text_in="web: evil").status != 0
    assert team.store.apps.get("shop").version == 1
    assert len(team.store.deploys.list()) == 1


def test_a_hint_of_a_first_push_names_only_apps_that_are_seen(team: Person) -> None:
    assert team.typing("dora", "git-receive-pack", "shopp", text_in="web: serve").status == 0
    assert "did you mean" not in team.repos.sideband.said


@pytest.mark.parametrize("argv", [("apps:create", "mine"), ("git-receive-pack", "mine")])
def test_who_creates_an_app_owns_it(team: Person, argv: tuple[str, ...]) -> None:
    assert team.typing("dora", *argv, text_in="web: serve").status == 0
    assert json.loads(team("access:list", "mine", "--format", "json").out) == {"dora": "owner"}
    assert team.typing("dora", "apps:destroy", "mine", "--force").status == 0


def test_lists_and_reports_hold_what_is_seen(team: Person) -> None:
    team("apps:create", "other")
    assert team.typing("vera", "--quiet", "apps:list").out == "shop\n"
    assert list(json.loads(team.typing("vera", "ps:report", "--format", "json").out)) == ["shop"]
    assert json.loads(team.typing("dora", "apps:list", "--format", "json").out) == []
    assert team.over_ssh("--quiet", "apps:list").out == "other\nshop\n"


def test_a_name_that_is_taken_cannot_be_created_again(team: Person) -> None:
    typed = team.typing("dora", "apps:create", "shop")
    assert (typed.status, typed.err.splitlines()[0]) == (1, " !     Name is already taken")
    assert team.typing("dora", "apps:exists", "shop").status == 20


def test_a_role_is_given_changed_and_taken_away(team: Person) -> None:
    assert team.typing("carla", "access:grant", "shop", "dora", "viewer").status == 0
    assert team.typing("dora", "apps:exists", "shop").status == 0
    assert team.typing("carla", "access:grant", "shop", "dora", "deployer").status == 0
    assert "dora   deployer" in team.typing("dora", "access:list", "shop").out
    assert team.typing("carla", "access:revoke", "shop", "dora").status == 0
    assert team.typing("dora", "apps:exists", "shop").status == 20
    assert team.typing("carla", "access:revoke", "shop", "dora").status == 20


def test_a_role_is_for_users_that_exist_and_one_of_three(team: Person) -> None:
    typed = team.typing("carla", "access:grant", "shop", "eve", "viewer")
    assert "There is no user 'eve'" in typed.err
    assert team.typing("carla", "access:grant", "shop", "ben", "admin").status == 2
    assert team.typing("ben", "access:grant", "shop", "ben", "owner").status == 1


@pytest.mark.parametrize(
    "argv", [("access:revoke", "shop", "carla"), ("access:grant", "shop", "carla", "viewer")]
)
def test_the_only_owner_cannot_leave_but_be_taken_away_by_an_admin(
    team: Person, argv: tuple[str, ...]
) -> None:
    typed = team.typing("carla", *argv)
    assert "carla is the only owner of shop" in typed.err
    assert team.over_ssh(*argv).status == 0


def test_roles_go_with_their_app_and_their_user(team: Person) -> None:
    team("users:remove", "vera")
    assert "vera" not in team("access:list", "shop").out
    team("apps:destroy", "shop", "--force")
    team("apps:create", "shop")
    assert json.loads(team("access:list", "shop", "--format", "json").out) == {}
    assert team.typing("carla", "apps:exists", "shop").status == 20


def test_an_admin_does_all_but_what_is_the_hosts(team: Person) -> None:
    assert team.over_ssh("config:show", "shop").status == 0
    assert team.over_ssh("audit:list").status == 0
    assert team.over_ssh("security:set", "shop", "memory", "1g").status == 1
    refused = team.typing("carla", "audit:list")
    assert (refused.status, "is for admins" in refused.err) == (1, True)


def test_no_user_takes_all_networks(team: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "OWNED", 1)
    team.user("eve")
    assert team.typing("eve", "apps:create", "one").status == 0
    typed = team.typing("eve", "apps:create", "two")
    assert (typed.status, "You own 1 apps" in typed.err) == (1, True)
    assert team.typing("eve", "git-receive-pack", "two", text_in="web: serve").status == 1
    assert team.store.apps.find("two") is None
    assert team.over_ssh("apps:create", "two").status == 0
