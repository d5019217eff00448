"""What builds an app, and which of its files are read."""

import json

import pytest

from paas.model import App
from tests.commands.conftest import Person
from tests.commands.test_git_sources import archive

PYTHON = {"requirements.txt": b"gunicorn\n", "Procfile": b"web: gunicorn app:app\n", "app.py": b""}
BOTH = PYTHON | {"Dockerfile": b"FROM debian:trixie\n"}


def deploy(paas: Person, files: dict[str, bytes]) -> str:
    """Deploy files; return which builder made the plan, or what was wrong."""
    typed = paas(
        "git:from-archive", "shop", "--", text_in=archive({f"x/{k}": v for k, v in files.items()})
    )
    return paas.builder.builds[-1].plan.builder if typed.status == 0 else typed.err


def test_a_builder_is_selected_shown_and_cleared(paas: Person, shop: App) -> None:
    assert deploy(paas, BOTH) == "dockerfile"
    assert paas("builder:set", "shop", "selected", "buildpack").status == 0
    assert deploy(paas, BOTH | {"a": b""}) == "python"
    assert paas("builder:report", "shop", "--builder-computed-selected").out == "buildpack\n"
    assert paas("builder:set", "shop", "selected").status == 0
    assert deploy(paas, BOTH | {"b": b""}) == "dockerfile"


def test_a_folder_and_other_names_are_built(paas: Person, shop: App) -> None:
    files = {"readme": b"", "web/deploy/Dockerfile": b"FROM debian:trixie\nEXPOSE 8000\n"}
    files |= {
        "web/deploy/Procfile": b"web: chosen\n",
        "web/deploy/app.json": b'{"formation": {"web": {"quantity": 2}}}',
    }
    paas("builder:set", "shop", "build-dir", "web")
    paas("builder-dockerfile:set", "shop", "dockerfile-path", "deploy/Dockerfile")
    paas("app-json:set", "shop", "appjson-path", "deploy/app.json")
    paas("ps:set", "shop", "procfile-path", "deploy/Procfile")
    assert deploy(paas, files) == "dockerfile"
    plan = paas.builder.builds[-1].plan
    assert (plan.processes[0].command, plan.manifest.formation) == ("chosen", {"web": 2})
    assert "EXPOSE 8000" in plan.dockerfile
    paas("builder:set", "shop", "build-dir", "nothing")
    assert "no folder nothing" in deploy(paas, files | {"a": b""})


def test_buildpacks_are_asked_in_their_order(paas: Person, shop: App) -> None:
    files = {
        "Procfile": b"web: x\n",
        "requirements.txt": b"",
        "package.json": b"{}",
        "package-lock.json": b'{"lockfileVersion": 3, "packages": {}}',
    }
    assert paas("buildpacks:add", "shop", "heroku/nodejs").status == 0
    paas("buildpacks:add", "shop", "https://github.com/heroku/heroku-buildpack-python.git")
    assert json.loads(paas("buildpacks:list", "shop", "--format", "json").out) == ["node", "python"]
    assert deploy(paas, files) == "node"
    paas("buildpacks:add", "--index", "1", "shop", "python")
    assert deploy(paas, files | {"a": b""}) == "python"
    assert paas("buildpacks:remove", "shop", "python").status == 0
    assert paas("buildpacks:set", "shop", "static").status == 0
    assert paas("buildpacks:list", "shop", "--quiet").out == "static\n"
    assert paas("buildpacks:remove", "--index", "2", "shop").status == 20
    assert paas("buildpacks:clear", "shop").status == 0
    assert paas("buildpacks:report", "shop", "--buildpacks-list").out == "\n"


def test_the_file_of_buildpacks_is_read(paas: Person, shop: App) -> None:
    assert deploy(paas, BOTH | {".buildpacks": b"# ours\nheroku/python\n"}) == "python"
    refused = deploy(paas, BOTH | {".buildpacks": b"https://github.com/evil/pack\n"})
    assert "foreign code" in refused


@pytest.mark.parametrize(
    "words",
    [
        ("builder:set", "shop", "selected", "herokuish"),
        ("builder:set", "shop", "selected", "x"),
        ("builder:set", "shop", "build-dir", "../x"),
        ("builder:set", "shop", "build-dir", "/x"),
        ("builder:set", "shop", "nothing", "x"),
        ("builder:set", "shop"),
        ("builder-dockerfile:set", "shop", "dockerfile-path", ".git/config"),
        ("app-json:set", "shop", "appjson-path", "a\nb"),
        ("buildpacks:add", "shop", "https://github.com/evil/pack"),
        ("buildpacks:add", "shop", "cobol"),
        ("buildpacks:remove", "shop"),
    ],
)
def test_what_cannot_build_is_refused(paas: Person, shop: App, words: tuple[str, ...]) -> None:
    assert paas(*words).status == 2


def test_what_holds_for_all_apps_is_for_admins(paas: Person, shop: App) -> None:
    paas.user("ben", "owner", "shop")
    assert paas.typing("ben", "builder:set", "--global", "build-dir", "web").status == 1
    assert paas("builder:set", "--global", "build-dir", "web").status == 0
    values = json.loads(paas("builder:report", "shop", "--format", "json").out)
    assert (values["build-dir"], values["computed-build-dir"]) == (None, "web")
