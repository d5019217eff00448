import secrets
import threading
from collections.abc import Iterator

import pytest

from paas import fleet, kept_logs, operate
from paas.errors import NotFound
from paas.log_stream import LogStream
from paas.model import LOCAL_ADMIN, App, ContainerRole
from paas.schedulers.base import LogLine
from tests.commands.conftest import Person
from tests.fakes.engine import Program


def web(paas: Person) -> str:
    return next(i for i, c in paas.scheduler.running.items() if c.spec.process_type == "web")


def test_a_line_has_time_app_and_process(paas: Person, shop: App) -> None:
    paas.scheduler.say(web(paas), "hello \x1b[2Jworld")
    out = paas("logs", "shop").out
    stamp, rest = out.split(" ", 1)
    assert len(stamp) == len("2026-11-20T10:00:00.000Z")
    assert rest == "shop[web.1]: hello world\n"


def test_lines_of_both_streams_come_out_in_one_so_that_their_order_stays(
    paas: Person, shop: App
) -> None:
    for n in range(4):
        paas.scheduler.say(web(paas), f"line {n}", is_stderr=n % 2 == 0)
    typed = paas("logs", "shop", "-q")
    assert (typed.out, typed.err) == ("line 0\nline 1\nline 2\nline 3\n", "")


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


def following(paas: Person, shop: App, lines: int = 100) -> Iterator[LogLine]:
    """Follow the log as `logs -t` does."""
    return LogStream(paas.platform, shop, None).follow(lines)


def test_following_without_history_starts_with_what_is_new(paas: Person, shop: App) -> None:
    paas.scheduler.say(web(paas), "old")
    lines = following(paas, shop, 0)
    threading.Timer(0.2, paas.scheduler.say, (web(paas), "new")).start()
    assert next(lines).text == "new"


def test_following_goes_on_after_a_restart_in_place(paas: Person, shop: App) -> None:
    container = web(paas)
    paas.scheduler.say(container, "old")
    lines = following(paas, shop)
    assert next(lines).text == "old"
    paas.scheduler.stop_by_hand(container)
    paas.scheduler.mend(container, paas.scheduler.inspect(container).name)
    paas.store.events.ring()  # as the engine's event does, once it is written down
    paas.scheduler.say(container, "new")
    assert next(lines).text == "new"


def test_following_tells_the_lines_of_old_and_new_processes_in_a_deploy(
    paas: Person, shop: App
) -> None:
    old = web(paas)
    lines = following(paas, shop)
    paas.scheduler.say(old, "from the old")
    assert next(lines).text == "from the old"
    operate.restart(paas.platform, shop, LOCAL_ADMIN)
    [new] = paas.store.containers.of(shop.id, ContainerRole.CURRENT)
    paas.scheduler.say(new.id, "from the new")
    paas.scheduler.say(old, "the old's last")  # it still drains
    assert {next(lines).text, next(lines).text} == {"from the new", "the old's last"}


def test_following_tells_what_paas_does_at_once(paas: Person, shop: App) -> None:
    lines = following(paas, shop)
    paas.scheduler.say(web(paas), "x")
    assert next(lines).text == "x"
    paas.store.journal.add(shop.id, "web.1 is well again")
    assert next(lines).process == "paas"


def test_following_ends_with_the_app(paas: Person, shop: App) -> None:
    lines = following(paas, shop)
    paas.scheduler.say(web(paas), "x")
    next(lines)
    paas("apps:destroy", "shop", "--force")
    with pytest.raises(NotFound):
        next(lines)


@pytest.mark.parametrize("number", ["-1", "1_0", "x", "\u0661"])
def test_a_number_is_made_of_ascii_digits(paas: Person, shop: App, number: str) -> None:
    assert paas("logs", "shop", "-n", number).status == 2


def test_an_app_without_processes_says_where_to_look(paas: Person, shop: App) -> None:
    paas("ps:stop", "shop")
    typed = paas("logs", "shop")
    assert typed.status == 1
    assert "ps:report shop" in typed.err
    assert paas("logs", "shoo").status == 20


def test_quiet_lines_are_bare(paas: Person, shop: App) -> None:
    paas.scheduler.say(web(paas), "hello")
    assert paas("logs", "shop", "-q").out == "hello\n"


def retire(paas: Person, shop: App, *texts: str) -> None:
    """Let web.1 say this, then replace it and let the old process end."""
    for text in texts:
        paas.scheduler.say(web(paas), text)
    operate.restart(paas.platform, shop, LOCAL_ADMIN)
    fleet.remove(paas.platform, paas.store.containers.of(shop.id, ContainerRole.DRAINING), 1)


def test_the_log_of_a_replaced_process_can_be_read(paas: Person, shop: App) -> None:
    retire(paas, shop, "from v1", "oops")
    assert "from v1" not in paas("logs", "shop").out
    assert paas("logs", "shop", "--release", "v1", "-q").out == "from v1\noops\n"
    assert paas("logs", "shop", "--release", "v1", "-p", "worker").out == ""
    missing = paas("logs", "shop", "--release", "v7")
    assert missing.status == 20
    assert "There are: v1" in missing.err
    assert paas("logs", "shop", "--release", "v1", "-t").status == 2


@pytest.mark.parametrize("word", ["../../etc/passwd", "v1/../v1", "*", "\x1b[2J", "-1", "v\u0661"])
def test_a_release_that_is_none_is_refused(paas: Person, shop: App, word: str) -> None:
    retire(paas, shop, "x")
    typed = paas("logs", "shop", "--release", word)
    assert typed.status == 20
    assert "\x1b" not in typed.err


def test_a_text_is_found_in_all_that_is_kept(paas: Person, shop: App) -> None:
    retire(paas, shop, "Traceback one", "nothing")
    paas.scheduler.say(web(paas), "another TRACEBACK")
    found = paas("logs:search", "shop", "traceback")
    assert [line.split(": ", 1)[1] for line in found.out.splitlines()] == [
        "Traceback one",
        "another TRACEBACK",
    ]
    assert paas("logs:search", "shop", "no such text").status == 1
    assert paas("logs:search", "shop", "traceback", "--since", "0s").status == 1
    assert len(paas("logs:search", "shop", "t", "-n", "1", "--since", "1h").out.splitlines()) == 1
    assert paas("logs:search", "shop", "x", "--since", "\u0662h").status == 2


def test_the_log_of_a_failed_deploy_is_kept(paas: Person, shop: App) -> None:
    paas.scheduler.programs["broken"] = Program(exit_code=1, stdout=("no config",))
    assert paas("git-receive-pack", "shop", text_in="web: broken").status == 1
    assert "no config" in paas("logs:failed", "shop").out
    assert "=====> shop" in paas("logs:failed", "--all").out
    assert paas("logs:failed", "shop", "--all").status == paas("logs:failed").status == 2
    paas.push("calm")
    assert paas("logs:failed", "calm").status == 20


def test_what_is_kept_stays_within_the_budget_and_goes_with_the_app(
    paas: Person, shop: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = [secrets.token_hex(8000) for _ in range(50)]
    for number in range(4):
        retire(paas, shop, f"round {number}", *noise)
    folder = kept_logs.folder(paas.platform, shop.id)
    assert len(list(folder.iterdir())) == 4
    assert paas("logs:set", "shop", "kept-size", "1m").status == 0
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 1024 * 1024
    assert "round 3" in paas("logs:search", "shop", "round").out
    assert "round 0" not in paas("logs:search", "shop", "round").out
    paas("apps:destroy", "shop", "--force")
    assert not folder.exists()


def test_sizes_are_set_for_an_app_and_for_all(paas: Person, shop: App) -> None:
    assert paas("logs:set", "--global", "max-size", "30m").status == 0
    assert paas("logs:report", "shop", "--logs-computed-max-size").out == "30m\n"
    assert paas("logs:set", "shop", "max-size", "20m").status == 0
    assert paas("logs:report", "shop", "--logs-computed-max-size").out == "20m\n"
    operate.restart(paas.platform, shop, LOCAL_ADMIN)
    assert paas.scheduler.started[-1].log_megabytes == 20
    assert paas("logs:set", "shop", "max-size").status == 0
    assert paas("logs:report", "shop", "--logs-max-size").out == "\n"
    for wrong in ("0m", "101m", "1g", "\u0661m", "-1m"):
        assert paas("logs:set", "shop", "max-size", wrong).status == 2
    assert paas("logs:set", "shop", "colour", "1m").status == 2
