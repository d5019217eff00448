import json
import threading

import pytest

from paas import happenings
from paas.commands.declare import REGISTRY, Context
from paas.commands.events import _events
from paas.doors.request import Request
from paas.model import LOCAL_ADMIN, App, AppEvent
from paas.schedulers.base import Change, Event
from tests.commands.conftest import Person


def kinds(out: str) -> list[str]:
    return [line.split(" ")[2] for line in out.splitlines()]


def test_what_happened_is_told_in_order(paas: Person, shop: App) -> None:
    paas("config:set", "shop", "TOKEN=s3cret")
    paas("ps:scale", "shop", "web=2")
    out = paas("events").out
    assert kinds(out)[:2] == ["created", "deployed"]
    assert {"config-changed", "scaled"} <= set(kinds(out))
    assert "keys=TOKEN" in out
    assert "s3cret" not in out
    paas("apps:destroy", "shop", "--force")
    assert kinds(paas("events", "-n", "1").out) == ["destroyed"]


def test_the_engine_s_events_stand_among_them(paas: Person, shop: App) -> None:
    name = f"{paas.settings.instance}-shop.web.1.1"
    happenings.write_down(
        paas.platform,
        [
            Event("a" * 64, Change.ENDED, 137, name),
            Event("a" * 64, Change.OUT_OF_MEMORY, None, name),
            Event("b" * 64, Change.STARTED, None, "another-shop.web.1.1"),
            Event("b" * 64, Change.RENAMED, None, name),
        ],
    )
    *_, died, oom = paas("events").out.splitlines()
    assert died.endswith("shop[web.1] die container=aaaaaaaaaaaa code=137")
    assert "shop[web.1] oom" in oom


def test_events_as_json_are_an_object_per_line(paas: Person, shop: App) -> None:
    lines = paas("events", "--app", "shop", "--format", "json").out.splitlines()
    told = [json.loads(line) for line in lines]
    assert [each["event"] for each in told] == ["created", "deployed"]
    assert told[1]["release"] == "v1"


def test_an_app_can_be_chosen(paas: Person, shop: App) -> None:
    paas.store.apps.create("other")
    assert {line.split(" ")[1] for line in paas("events", "--app", "shop").out.splitlines()} == {
        "shop"
    }
    assert paas("events", "--app", "none").status == 20


def test_others_apps_and_the_host_s_events_are_not_for_everybody(paas: Person, shop: App) -> None:
    paas.over_ssh("version")  # anna's key is there now
    paas.store.users.set_admin("anna", is_admin=False)
    assert paas.over_ssh("events").out == ""
    assert "key-added" in paas("events").out
    paas.over_ssh("apps:create", "hers")
    assert kinds(paas.over_ssh("events").out) == ["created"]
    assert paas.over_ssh("events", "--app", "shop").status == 20


def test_an_app_has_no_events_of_an_earlier_one_of_its_name(paas: Person, shop: App) -> None:
    paas("apps:destroy", "shop", "--force")
    paas.over_ssh("version")
    paas.store.users.set_admin("anna", is_admin=False)
    paas.over_ssh("apps:create", "shop")
    assert kinds(paas.over_ssh("events").out) == ["created"]


def test_events_are_followed(paas: Person, shop: App) -> None:
    context = Context(paas.platform, Request("local", ()), LOCAL_ADMIN, REGISTRY["events"])
    happening = _events(context, None, 1, follow=True)
    assert next(happening).kind == "deployed"
    event = AppEvent("shop", "die", "web.1")
    threading.Timer(0.2, paas.store.events.ring).start()
    paas.store.events.add([event])
    assert next(happening).kind == "die"


@pytest.mark.parametrize("text", ["\x1b[2Jx", "two words", "a\nb"])
def test_what_a_user_wrote_cannot_break_the_line(paas: Person, shop: App, text: str) -> None:
    paas.store.events.add([AppEvent("shop", "failed", "", {"error": text})])
    out = paas("events", "-n", "1").out
    assert len(out.splitlines()) == 1
    assert "\x1b" not in out
