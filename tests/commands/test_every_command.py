"""What every command must have, whoever wrote it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import paas.commands
from paas import dispatch
from paas.commands.declare import REGISTRY, Access, Command
from paas.show import topic_help

FOLDER = Path(paas.commands.__path__[0])

dispatch.load_commands()
COMMANDS = [pytest.param(command, id=name) for name, command in sorted(REGISTRY.items())]
LISTS = [
    pytest.param(command, id=name)
    for name, command in sorted(REGISTRY.items())
    if name.endswith((":report", ":list", ":keys", ":show")) or name == "doctor"
    if name != "certs:show"  # prints PEM, for files
]
PROMISED = """apps:create apps:list apps:destroy apps:exists apps:report config:set
config:get config:unset config:show config:keys domains:add domains:remove domains:set
domains:report logs ps:report ps:restart ps:rebuild ps:stop ps:start security:report security:set
ssh-keys:add ssh-keys:list ssh-keys:remove git-receive-pack git-upload-pack help version doctor
ps:scale ps:set releases:list releases:info releases:diff releases:rollback releases:set
releases:report deploys:list deploys:info deploys:log deploys:cancel checks:set
checks:report checks:run"""


def declarations() -> Iterator[tuple[str, set[str | None]]]:
    """Yield the name and the keywords of each `@command(...)` in the source."""
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "command":
                assert isinstance(node.args[0], ast.Constant)
                yield str(node.args[0].value), {keyword.arg for keyword in node.keywords}


def test_the_verbs_that_were_promised_are_there() -> None:
    assert set(PROMISED.split()) <= set(REGISTRY)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits_the_screen(command: Command) -> None:
    help_text = command.click.help or ""
    first, *_ = help_text.splitlines()
    assert first.endswith(".")
    assert all(len(line) <= 100 for line in topic_help(command.topic, REGISTRY).splitlines())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_that_parses(command: Command) -> None:
    assert command.examples
    own = [example for example in command.examples if not example.startswith("git ")]
    assert all(example.split()[0].partition(":")[0] == command.topic for example in own[:1])


def test_every_command_declares_its_access() -> None:
    undeclared = [name for name, keywords in declarations() if "access" not in keywords]
    assert undeclared == []
    assert {name for name, _ in declarations()} == set(REGISTRY)


@pytest.mark.parametrize("command", LISTS)
def test_every_list_and_report_takes_json(command: Command) -> None:
    formats = [param for param in command.click.params if "--format" in param.opts]
    assert ["json" in getattr(param.type, "choices", ()) for param in formats] == [True]


def test_what_touches_the_host_s_safety_is_for_root_alone() -> None:
    names = {name for name, command in REGISTRY.items() if command.access is Access.HOST}
    assert {"ssh-keys:add", "ssh-keys:remove", "security:set", "doctor"} <= names
    anyone = {name for name, command in REGISTRY.items() if command.access is Access.ANYONE}
    assert anyone == {"help", "version", "complete"}
