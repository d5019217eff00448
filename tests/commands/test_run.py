import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from paas import oneoff
from paas.commands.debug import mask
from paas.model import App
from paas.schedulers.base import Beside
from tests.builders import ready_store
from tests.commands.conftest import Person
from tests.contracts.engines import until
from tests.fakes.engine import Program

SAYS = "say something"


@pytest.fixture(autouse=True)
def _program(paas: Person) -> None:
    paas.scheduler.programs[SAYS] = Program(("something",), exit_code=3)


def held(paas: Person) -> str:
    return paas.scheduler.attached[-1][0].command or ""


def test_a_command_runs_with_the_release_s_config_and_more(paas: Person, shop: App) -> None:
    paas("config:set", "shop", "A=1", "B=2")
    assert paas("run", "-e", "B=3", "shop", SAYS).status == 3
    [(spec, beside)] = paas.scheduler.attached
    assert (spec.config["A"], spec.config["B"], spec.command, beside) == ("1", "3", SAYS, None)
    assert (spec.process_type, spec.deploy_id) == ("run", 0)
    assert paas("run:list", "shop").out == "=====> One-off containers\n"


def test_a_command_out_of_memory_says_so_and_keeps_its_status(paas: Person, shop: App) -> None:
    paas.scheduler.programs[SAYS] = Program(("something",), exit_code=137, oom_killed=True)
    typed = paas("run", "shop", SAYS)
    assert typed.status == 137
    assert "The command was ended: it was out of memory (limit 512 MB)" in typed.err
    assert "resource:limit --process-type run --memory 1024m shop" in typed.err
    [run] = paas.store.runs.list(shop.id)
    assert (run.status, run.error) == (137, "it was out of memory (limit 512 MB)")


def test_a_command_that_lost_a_process_to_its_memory_was_not_ended_by_it(
    paas: Person, shop: App
) -> None:
    paas.scheduler.programs[SAYS] = Program(exit_code=1, oom_killed=True)
    typed = paas("run", "shop", SAYS)
    assert (typed.status, typed.err) == (1, "")
    assert paas.store.runs.list(shop.id)[0].error == ""


@pytest.mark.parametrize(("status", "shown"), [(143, 143), (0, 1)])
def test_who_holds_a_command_that_another_ends_is_told_why(
    paas: Person, shop: App, tmp_path: Path, status: int, shown: int
) -> None:
    over = tmp_path / "over"

    def end() -> None:
        platform = replace(paas.platform, store=ready_store(paas.settings))
        [run] = until(lambda: platform.store.runs.open(shop.id), bool)
        oneoff.stop(platform, run, "it was stopped by ben")
        over.touch()

    ending = threading.Thread(target=end)
    ending.start()
    line = f"until test -e {over}; do sleep 0.01; done; exit {status}"
    typed = paas("run", "shop", line)
    ending.join()
    assert typed.status == shown
    assert "The command was ended: it was stopped by ben" in typed.err
    assert paas.store.runs.list(shop.id)[0].error == "it was stopped by ben"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("echo", "$A", "two words"), "echo '$A' 'two words'"),
        (("ls", "-la", "--all"), "ls -la --all"),
        (("echo $A | wc",), "echo $A | wc"),
        (("--", "ls", "--", "-x"), "ls -- -x"),
        (("web",), "serve"),
        (("web", "--port", "a b"), "serve --port 'a b'"),
    ],
)
def test_what_was_typed_reaches_the_shell_as_it_was_meant(
    paas: Person, shop: App, words: tuple[str, ...], line: str
) -> None:
    paas.scheduler.programs[line] = Program(exit_code=0)
    paas("run", "shop", *words)
    assert held(paas) == line


def test_without_a_command_it_is_a_shell(paas: Person, shop: App) -> None:
    paas("run", "shop")
    assert "exec bash" in held(paas)


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (("run", "nothing", "ls"), 20),
        (("run", "-e", "A", "shop", "ls"), 2),
        (("run", "-e", "PORT=1", "shop", "ls"), 2),
        (("run", "--ttl-seconds", "0", "shop", "ls"), 2),
        (("run", "--ttl-seconds", "-1", "shop", "ls"), 2),
        (("run:detached", "shop"), 2),
        (("run:logs",), 2),
        (("run:logs", "--container", "shop.run.9999"), 20),
        (("run:logs", "--container", "shop.run.٣"), 20),
        (("run:logs", "shop"), 20),
        (("run:stop", "other", "--container", "shop.run.1"), 2),
        (("enter", "shop", "nothing"), 20),
        (("enter", "--container-id", "0" * 64, "shop"), 20),
    ],
)
def test_what_cannot_be_is_refused(
    paas: Person, shop: App, argv: tuple[str, ...], status: int
) -> None:
    assert paas(*argv).status == status
    assert paas.scheduler.attached == []


def test_before_the_first_push_nothing_can_be_run(paas: Person) -> None:
    paas("apps:create", "empty")
    typed = paas("run", "empty", "ls")
    assert (typed.status, "no release yet" in typed.err) == (20, True)


def test_a_detached_command_is_listed_followed_and_stopped(paas: Person, shop: App) -> None:
    paas.scheduler.programs["sleep 600"] = Program(("it sleeps",), status=None)
    name = paas("run:detached", "shop", "sleep", "600").out.strip()
    [listed] = json.loads(paas("run:list", "shop", "--format", "json").out)
    assert (listed["name"], listed["state"], listed["command"]) == (name, "running", "sleep 600")
    assert paas("run:logs", "shop", "-q").out == "it sleeps\n"
    assert f"{name} is stopped" in paas("run:stop", "--container", name).out
    assert paas("run:list", "shop", "--quiet").out == ""
    assert paas("run:logs", "--container", name, "-q").out == "it sleeps\n"
    assert not any(".run." in c.name for c in paas.scheduler.containers())


def test_entering_goes_to_the_process_that_was_named(paas: Person, shop: App) -> None:
    [web] = [row.id for row in paas.store.containers.of(shop.id)]
    for words in ((), ("web",), ("web.1",), ("--container-id", web[:12])):
        paas("enter", "shop", *words, *(["true"] if words else []))
    assert [target for target, _ in paas.scheduler.execs] == [web] * 4
    assert paas.scheduler.execs[1][1] == ("true",)


def test_only_admins_give_tools_a_capability_and_it_is_written_down(
    paas: Person, shop: App
) -> None:
    paas.user("bob", "deployer", "shop")
    refused = paas.typing("bob", "debug", "--cap", "SYS_PTRACE", "shop", "web", "true")
    assert (refused.status, paas.scheduler.attached) == (1, [])
    assert paas("debug", "--cap", "SYS_PTRACE", "shop", "web", "true").status == 0
    [web] = [row.id for row in paas.store.containers.of(shop.id)]
    assert paas.scheduler.attached[0][1] == Beside(web, ("SYS_PTRACE",))
    lines = [line.text for line in paas.store.journal.read(shop.id, 10)]
    assert "debug by root with SYS_PTRACE" in lines


def test_a_capability_that_opens_the_host_cannot_be_asked_for(paas: Person, shop: App) -> None:
    assert paas("debug", "--cap", "SYS_ADMIN", "shop").status == 2


def test_inspecting_shows_the_names_of_variables_and_no_value(paas: Person, shop: App) -> None:
    paas("config:set", "shop", "TOKEN=very-secret")
    typed = paas("ps:inspect", "shop")
    assert json.loads(typed.out)[0]["Config"]["Env"].count("TOKEN=***") == 1
    assert "very-secret" not in typed.out


def test_inspecting_leaves_out_what_only_the_engine_needs() -> None:
    host = {"SecurityOpt": ["no-new-privileges:true", 'seccomp={"names": []}'], "Init": True}
    shown = mask({"Id": "1", "HostConfig": host, "LogPath": "/var/lib/x", "GraphDriver": {}})
    short = ["no-new-privileges:true", "seccomp=(of paas)"]
    assert shown == {"Id": "1", "HostConfig": {"SecurityOpt": short, "Init": True}}


def test_the_use_of_resources_is_measured_between_two_looks(paas: Person, shop: App) -> None:
    [row] = json.loads(paas("ps:stats", "shop", "--format", "json").out)
    assert (row["process"], row["cpu_percent"], row["memory_mb"]) == ("web.1", 50.0, 5.0)
    assert "web.1" in paas("ps:stats", "shop").out
    assert "serve" in paas("ps:top", "shop").out
