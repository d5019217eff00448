"""Every verb, typed by somebody who has no role: as if the app did not exist, and nothing changes.

A verb that is new is in here by itself; if it needs other words than these, add them to WORDS.
"""

import ast
import sqlite3
from pathlib import Path

import click
import pytest

import paas.commands
from paas import dispatch
from paas.access import Access
from paas.commands.declare import REGISTRY, Command
from paas.model import App
from tests.commands.conftest import Person

dispatch.load_commands()
FOLDER = Path(paas.commands.__path__[0])
OF_AN_APP = (Access.VIEWER, Access.DEPLOYER, Access.OWNER)
SECRET = "s3cr3t"
WORDS = {
    "access:grant": ("ben", "viewer"),
    "app-json:set": ("appjson-path", "x.json"),
    "apps:set": ("deploy-branch", "main"),
    "builder-dockerfile:set": ("dockerfile-path", "x"),
    "builder:set": ("selected", "dockerfile"),
    "builds:set": ("retention", "3"),
    "certs:show": ("crt",),
    "checks:set": ("path", "/x"),
    "config:get": ("TOKEN",),
    "config:set": ("TOKEN=1",),
    "config:unset": ("TOKEN",),
    "cron:add": ("@daily", "x"),
    "cron:set": ("maintenance", "true"),
    "git:set": ("deploy-branch", "main"),
    "logs:set": ("max-size", "1m"),
    "network:set": ("attach-post-deploy", ""),
    "network:probe": ("example.org", "80"),
    "notify:set": ("https://example.org/x",),
    "ps:scale": ("web=2",),
    "ps:set": ("strategy", "recreate"),
    "releases:set": ("retention", "3"),
}
WITH_OPTION = {
    "events": (),
    "git:auth": ("example.org", "ben", "x"),
    "git:auth-status": ("example.org",),
}
LATER = {"apps:destroy": ("--force",), "docker-options:list": ("--phase", "build")}
VERBS = [
    each
    for name, each in sorted(REGISTRY.items())
    if each.access in OF_AN_APP and name != "git-receive-pack"  # it may create, see test_access
]


def argv_of(command: Command, app: str) -> tuple[str, ...]:
    """Return the verb, with words that are right for all but the app."""
    if command.name in WITH_OPTION:
        return (command.name, "--app", app, *WITH_OPTION[command.name])
    given = WORDS.get(command.name)
    if given is None:
        required = [p for p in command.click.params if isinstance(p, click.Argument) and p.required]
        given = ("x",) * (len(required) - 1)
    return (command.name, app, *given, *LATER.get(command.name, ()))


def state(paas: Person) -> object:
    """Return all that is stored, but for the audit log, and all that runs."""
    with sqlite3.connect(paas.settings.database) as database:
        lines = [line for line in database.iterdump() if 'INTO "audit"' not in line]
    kept = [line for line in lines if "sqlite_sequence" not in line]
    return kept, dict(paas.repos.branches), dict(paas.proxy.sites), sorted(paas.scheduler.running)


@pytest.fixture
def dora(paas: Person, shop: App) -> Person:
    """Shop has a secret; ben owns it; dora is a member."""
    paas.user("ben", "owner", "shop")
    paas.user("dora")
    paas("config:set", "--no-restart", "shop", f"TOKEN={SECRET}")
    paas("config:set", "--global", "--no-restart", f"TOKEN={SECRET}")
    paas("notify:set", "--global", f"https://example.org/{SECRET}")
    paas("git:auth", "example.org", "anna", SECRET)
    return paas


def test_a_stranger_is_told_what_is_told_of_an_app_that_is_missing(dora: Person) -> None:
    before = state(dora)
    wrong = {}
    for command in VERBS:
        hidden = dora.typing("dora", *argv_of(command, "shop"))
        missing = dora.typing("dora", *argv_of(command, "nope"))
        said = missing.out.replace("nope", "shop"), missing.err.replace("nope", "shop")
        if hidden.status != 20 or (hidden.out, hidden.err) != said:
            wrong[command.name] = (hidden, missing)
    assert wrong == {}
    assert state(dora) == before


@pytest.mark.parametrize("flag", ["", "--global", "--all"])
def test_without_an_app_a_member_learns_and_changes_nothing_of_others(
    dora: Person, flag: str
) -> None:
    before = state(dora)
    wrong = {}
    for command in VERBS:
        words = WITH_OPTION.get(command.name, argv_of(command, "")[2:])
        typed = dora.typing("dora", command.name, *([flag] if flag else []), *words)
        if SECRET in typed.out + typed.err or "shop" in typed.out:
            wrong[command.name] = typed
    assert wrong == {}
    assert state(dora) == before


def test_what_is_for_admins_is_refused_before_any_look(dora: Person) -> None:
    for name in (name for name, each in REGISTRY.items() if each.access is Access.ADMIN):
        typed = dora.typing("dora", name)
        assert (typed.status, typed.out) == (1, "")


def test_a_verb_for_a_role_takes_an_app() -> None:
    """Else it would be open to every member."""
    without = [
        name
        for name, each in REGISTRY.items()
        if each.access in OF_AN_APP
        and not {"app", "words"} & {param.name for param in each.click.params}
    ]
    assert without == []


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_a_command_finds_apps_through_its_context_only(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute)):
            continue
        reached = (node.value.attr, node.attr)
        assert reached not in {("apps", "get"), ("apps", "find"), ("apps", "list")}, node.lineno
        assert reached not in {("apps", "create"), ("grants", "find"), ("grants", "list")}
