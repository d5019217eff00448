import pytest

from paas.commands.git import parse_repository
from paas.errors import BuildFailed
from paas.model import App
from tests.commands.conftest import Person


@pytest.mark.parametrize("path", ["shop", "/shop", "/shop.git", "shop/", "/shop.git/"])
def test_an_app_is_found_by_every_form_of_its_url(path: str) -> None:
    assert parse_repository(path) == "shop"


def test_a_push_deploys_and_can_be_fetched(paas: Person) -> None:
    pushed = paas.over_ssh("git-receive-pack", "/shop.git", text_in="web: serve")
    assert (pushed.status, pushed.out) == (0, "ok\n")
    assert paas.store.apps.get("shop").version == 1
    assert paas.store.deploys.list()[0].actor == "anna"
    assert paas.over_ssh("git-upload-pack", "/shop").out == "web: serve"


def test_a_first_push_that_fails_leaves_no_app(paas: Person) -> None:
    paas.builder.error = BuildFailed("The build stopped")
    pushed = paas("git-receive-pack", "shop", text_in="web: serve")
    assert pushed.status == 1
    assert pushed.out.startswith("ng The build stopped")
    assert paas.store.apps.list() == ()


def test_a_push_to_a_bad_name_creates_nothing(paas: Person) -> None:
    pushed = paas("git-receive-pack", "../etc", text_in="web: serve")
    assert (pushed.status, pushed.out) == (2, "")
    assert "is not an app name" in pushed.err


def test_an_unknown_app_cannot_be_fetched(paas: Person, shop: App) -> None:
    fetched = paas("git-upload-pack", "/shoo")
    assert (fetched.status, fetched.out) == (20, "")
    assert "App shoo does not exist" in fetched.err
