import json
import sys

import pytest

from paas.model import App
from tests.commands.conftest import Person


def test_create_says_done_and_how_to_push(paas: Person) -> None:
    typed = paas("apps:create", "shop")
    assert (typed.status, typed.err) == (0, "")
    assert typed.out.splitlines()[0] == "Creating shop... done"
    assert "ssh://nobody@localhost:2222/shop" in typed.out
    assert paas.store.apps.find("shop")


def test_create_refuses_a_name_twice_and_a_bad_name(paas: Person) -> None:
    paas("apps:create", "shop")
    again = paas("apps:create", "shop")
    assert (again.status, again.out) == (1, "")
    assert "Name is already taken" in again.err
    assert paas("apps:create", "Shop").status == 2
    assert paas("apps:create").status == 2


def test_the_list_has_dokku_s_header_on_a_terminal_only(
    paas: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("zoo", "api"):
        paas("apps:create", name)
    assert paas("apps:list").out == "api\nzoo\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert paas("apps:list").out == "=====> My Apps\napi\nzoo\n"
    assert paas("--quiet", "apps:list").out == "api\nzoo\n"
    assert json.loads(paas("apps:list", "--format", "json").out) == ["api", "zoo"]


def test_an_empty_list_is_a_warning_and_no_error(paas: Person) -> None:
    typed = paas("apps:list")
    assert (typed.status, typed.out) == (0, "")
    assert "You haven't deployed any applications yet" in typed.err
    assert paas("apps:list", "--format", "json").out == "[]\n"


def test_exists_answers_by_its_exit_status(paas: Person, shop: App) -> None:
    found = paas("apps:exists", "shop")
    assert (found.status, found.out, found.err) == (0, "", "")
    missing = paas("apps:exists", "shoo")
    assert missing.status == 20
    assert missing.err == " !     App shoo does not exist\n !     Did you mean shop?\n"


def test_the_report_tells_what_is_deployed(paas: Person, shop: App) -> None:
    values = json.loads(paas("apps:report", "shop", "--format", "json").out)
    assert values["release"] == "v1"
    assert values["locked"] is False
    assert values["urls"] == ["http://shop.paas.localhost"]
    assert values["deploy-source-metadata"] in paas.repos.commits_by_id
    assert paas("apps:report", "shop", "--app-release").out == "v1\n"
    assert "Release:                 v1" in paas("apps:report", "shop").out


def test_a_report_of_all_apps_is_one_section_each(paas: Person, shop: App) -> None:
    paas("apps:create", "other")
    out = paas("apps:report").out
    assert out.index("=====> other app") < out.index("=====> shop app")
    every = json.loads(paas("apps:report", "--format", "json").out)
    assert (every["shop"]["release"], every["other"]["release"]) == ("v1", None)


def test_a_report_steers_no_terminal(paas: Person, shop: App) -> None:
    paas.store.apps.set_deploy_branch(shop.id, "ma\x07in\nUrls: evil")
    assert paas("apps:report", "shop", "--app-deploy-branch").out == "main\\nUrls: evil\n"


def test_a_wrong_flag_of_a_report_is_a_usage_error(paas: Person, shop: App) -> None:
    typed = paas("apps:report", "shop", "--app-nonsense")
    assert (typed.status, typed.out) == (2, "")
    assert "apps:help" in typed.err


@pytest.mark.parametrize("typed_name", ["", "other\n", "shop2\n"])
def test_destroy_wants_the_name(paas: Person, shop: App, typed_name: str) -> None:
    typed = paas("apps:destroy", "shop", text_in=typed_name)
    assert typed.status == 1
    assert "nothing was destroyed" in typed.err
    assert paas.store.apps.get("shop") == shop
    assert paas.scheduler.running


def test_destroy_leaves_nothing(paas: Person, shop: App) -> None:
    assert paas("apps:destroy", "shop", text_in="shop\n").status == 0
    assert paas.store.apps.list() == ()
    assert paas.scheduler.running == {}
    assert paas.proxy.sites == {}
    assert paas.repos.kept == {}


@pytest.mark.parametrize(
    "argv", [("apps:destroy", "shop", "--force"), ("--force", "apps:destroy", "shop")]
)
def test_force_asks_nothing(paas: Person, shop: App, argv: tuple[str, ...]) -> None:
    assert paas(*argv).status == 0
    assert paas.store.apps.find("shop") is None
