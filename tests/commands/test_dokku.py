"""dokku:import as it is typed."""

import json
from pathlib import Path

import pytest

from tests.commands.conftest import Person
from tests.dokku.host import add_certificate, make_app, set_property


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A Dokku host with one app that fits, and one whose name does not."""
    home, data = tmp_path / "old" / "dokku", tmp_path / "old" / "lib"
    place = make_app(home, data, "shop", domains="shop.example.org", env='KEY="value"\n')
    add_certificate(place, "shop.example.org")
    set_property(data, "ps", "shop", "scale", "web=2")
    make_app(home, data, "my.blog", env='KEY="blog"\n')
    return home


def run(paas: Person, home: Path, *argv: str) -> tuple[int, str, str]:
    typed = paas("dokku:import", str(home), *argv, "--data", str(home.parent / "lib"))
    return typed.status, typed.out, typed.err


def test_what_fits_is_recreated_and_the_rest_is_named(paas: Person, home: Path) -> None:
    status, out, err = run(paas, home)
    assert status == 1
    assert "my.blog" in err
    assert "1 of 2 apps are taken over" in out
    shop = paas.store.apps.get("shop")
    assert paas.store.config.get(shop.id) == {"KEY": "value"}
    assert paas.store.domains.list(shop.id) == ("shop.example.org",)
    assert paas.store.formation.get(shop.id) == {"web": 2}
    assert paas.store.certificates.get(shop.id)
    assert "value" not in out + err


def test_an_app_may_get_another_name(paas: Person, home: Path) -> None:
    assert run(paas, home, "my.blog", "--as", "my-blog")[0] == 0
    assert paas.store.config.get(paas.store.apps.get("my-blog").id) == {"KEY": "blog"}


def test_a_dry_run_changes_nothing(paas: Person, home: Path) -> None:
    status, out, _ = run(paas, home, "shop", "--dry-run", "--format", "json")
    assert status == 0
    assert json.loads(out)[0]["domains"] == ["shop.example.org"]
    assert paas.store.apps.list() == ()


def test_an_app_that_is_there_stays_as_it_is(paas: Person, home: Path) -> None:
    paas("apps:create", "shop")
    status, _, err = run(paas, home, "shop")
    assert (status, paas.store.config.get(paas.store.apps.get("shop").id)) == (1, {})
    assert "taken" in err


def test_what_does_not_fit_leaves_no_app(paas: Person, home: Path) -> None:
    set_property(home.parent / "lib", "ps", "shop", "scale", "web=500")
    assert run(paas, home, "shop")[0] == 1
    assert paas.store.apps.list() == ()


def test_a_domain_of_another_app_is_left_out_and_told(paas: Person, home: Path) -> None:
    other = paas.store.apps.create("other")
    paas.store.domains.change(other.id, add=["shop.example.org"])
    status, out, _ = run(paas, home, "shop")
    assert status == 0
    assert "not taken over: domain shop.example.org" in out


def test_what_is_no_host_is_refused(paas: Person) -> None:
    assert paas("dokku:import", "-oProxyCommand=true@x").status == 2
    assert paas("dokku:import", "old").status == 2


def test_a_branch_that_is_none_is_not_believed(paas: Person, home: Path) -> None:
    set_property(home.parent / "lib", "git", "shop", "deploy-branch", "../../heads\x1b]0;x")
    status, _, err = run(paas, home, "shop")
    assert (status, "is not a branch" in err, paas.store.apps.list()) == (1, True, ())
