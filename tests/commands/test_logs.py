import pytest

from paas.commands.logs import _successors
from paas.model import App, ContainerRole
from tests.commands.conftest import Person


def web(paas: Person) -> str:
    return next(i for i, c in paas.scheduler.running.items() if c.spec.process_type == "web")


def test_a_line_has_time_app_and_process(paas: Person, shop: App) -> None:
    paas.scheduler.say(web(paas), "hello \x1b[2Jworld")
    out = paas("logs", "shop").out
    stamp, rest = out.split(" ", 1)
    assert len(stamp) == len("2026-11-20T10:00:00.000Z")
    assert rest == "shop[web.1]: hello world\n"


def test_what_went_to_stderr_comes_out_there(paas: Person, shop: App) -> None:
    paas.scheduler.say(web(paas), "oops", is_stderr=True)
    typed = paas("logs", "shop")
    assert typed.out == ""
    assert "oops" in typed.err


def test_only_the_last_lines_are_shown(paas: Person, shop: App) -> None:
    for n in range(150):
        paas.scheduler.say(web(paas), f"line {n}")
    assert len(paas("logs", "shop").out.splitlines()) == 100
    assert [line.split()[-1] for line in paas("logs", "shop", "-n", "2").out.splitlines()] == [
        "148",
        "149",
    ]


def test_one_process_can_be_chosen(paas: Person) -> None:
    paas.store.formation.set(paas.store.apps.create("shop").id, {"web": 2})
    paas.push("shop")
    for container_id, container in paas.scheduler.running.items():
        paas.scheduler.say(container_id, f"from slot {container.spec.slot}")
    assert len(paas("logs", "shop", "-p", "web").out.splitlines()) == 2
    assert paas("logs", "shop", "-p", "web.2").out.endswith("shop[web.2]: from slot 2\n")
    assert "from slot 1" not in paas("logs", "shop", "-p", "web.2").out
    assert "has no worker that runs" in paas("logs", "shop", "-p", "worker").err


def test_what_paas_did_stands_between_the_lines(paas: Person, shop: App) -> None:
    paas.scheduler.say(web(paas), "before")
    paas.store.journal.add(shop.id, "web.1 was stopped by hand; it runs again")
    paas.scheduler.say(web(paas), "after")
    lines = [line.split(" ", 1)[1] for line in paas("logs", "shop").out.splitlines()]
    told = "shop[paas]: web.1 was stopped by hand; it runs again"
    assert lines == ["shop[web.1]: before", told, "shop[web.1]: after"]
    assert len(paas("logs", "shop", "-n", "1").out.splitlines()) == 1
    assert "[paas]" in paas("logs", "shop", "-p", "web").out
    assert "[paas]" not in paas("logs", "shop", "-p", "web.2").out


def test_following_goes_on_after_a_restart_in_place(paas: Person, shop: App) -> None:
    container = web(paas)
    paas.scheduler.say(container, "old")
    paas.scheduler.stop_by_hand(container)
    assert list(_successors(paas.platform, shop, None, {container: "web.1"}, 0.0)) == []
    old = paas.scheduler.running[container].log[-1].at
    paas.scheduler.mend(container, paas.scheduler.inspect(container).name)
    paas.scheduler.say(container, "new")
    lines = _successors(paas.platform, shop, None, {container: "web.1"}, old)
    assert next(lines).text == "new"


@pytest.mark.parametrize("number", ["-1", "1_0", "x", "\u0661"])
def test_a_number_is_made_of_ascii_digits(paas: Person, shop: App, number: str) -> None:
    assert paas("logs", "shop", "-n", number).status == 2


def test_an_app_without_processes_says_where_to_look(paas: Person, shop: App) -> None:
    paas("ps:stop", "shop")
    typed = paas("logs", "shop")
    assert typed.status == 1
    assert "ps:report shop" in typed.err
    assert paas("logs", "shoo").status == 20


def test_following_goes_on_with_the_processes_that_take_over(paas: Person, shop: App) -> None:
    old = web(paas)
    paas.scheduler.say(old, "from the old")
    assert paas("ps:restart", "shop").status == 0
    paas.scheduler.say(new := paas.store.containers.of(shop.id, ContainerRole.CURRENT)[0].id, "new")
    seen = {old: "web.1"}
    lines = _successors(paas.platform, shop, None, seen)
    assert next(lines).text == "new"
    assert seen == {old: "web.1", new: "web.1"}
