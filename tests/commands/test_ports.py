import json

import pytest

from paas.model import App
from tests.commands.conftest import Person
from tests.fakes.engine import Program


def test_the_detected_port_is_listed(paas: Person, shop: App) -> None:
    assert json.loads(paas("ports:list", "shop", "--format", "json").out) == [
        {"scheme": "http", "host_port": 80, "container_port": 5000}
    ]
    assert paas("ports:list", "shop", "--quiet").out.split()[-3:] == ["http", "80", "5000"]
    assert paas("ports:report", "shop", "--ports-map-detected").out == "http:80:5000\n"
    assert paas("ports:report", "shop", "--ports-map").out == "\n"


def test_a_port_that_was_set_holds_for_this_and_all_later_releases(paas: Person, shop: App) -> None:
    assert paas("ports:set", "shop", "http:80:3000").status == 0
    assert paas.scheduler.started[-1].port == 3000
    assert {route.port for route in paas.proxy.routes["shop"]} == {3000}
    paas.push("shop", "web: new")
    assert paas.scheduler.started[-1].port == 3000
    assert paas("ports:report", "shop", "--ports-map-detected").out == "http:80:5000\n"
    assert paas("ports:remove", "shop", "80").status == 0
    assert paas.scheduler.started[-1].port == 5000


def test_a_port_on_which_nothing_listens_changes_nothing(paas: Person, shop: App) -> None:
    paas.scheduler.programs["serve"] = Program(exit_code=1)
    assert paas("ports:set", "shop", "http:80:3000").status == 1
    assert paas.store.properties.get(shop.id, "ports") == {}
    assert paas.store.apps.get("shop").version == 1


def test_before_the_first_push_it_is_stored(paas: Person) -> None:
    paas("apps:create", "new")
    assert paas("ports:add", "new", "http:80:3000").status == 0
    assert paas("ports:add", "new", "http:80:4000").status == 1
    assert paas("ports:remove", "new", "http:80:4000").status == 20
    paas.push("new")
    assert paas.scheduler.started[-1].port == 3000
    assert paas("ports:clear", "new").status == 0
    assert paas.scheduler.started[-1].port == 5000


@pytest.mark.parametrize(
    "words",
    [("http:8080:5000",), ("grpc:80:5000",), ("80:5000",), ("http:80:0",), ("http:80:99999",)],
)
def test_a_mapping_that_cannot_be_is_refused(
    paas: Person, shop: App, words: tuple[str, ...]
) -> None:
    assert paas("ports:set", "shop", *words).status == 2
    assert paas("ports:set", "shop", "http:80:3000", "https:443:4000").status == 2
    assert paas("ports:set", "missing", "http:80:3000").status == 20
    assert paas.store.apps.get("shop").version == 1
