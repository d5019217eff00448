"""A workstation: the same package, no server. Host and app come from the git remote."""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.journeys.instance import CHECKOUT, Instance
from tests.journeys.programs import Git


@dataclass
class Workstation:
    """A user's machine: a work tree, a key, `paas` on the PATH, and nothing of a server."""

    git: Git
    environ: dict[str, str]

    def paas(self, *argv: str, text_in: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "paas", *argv],
            cwd=self.git.tree,
            env=self.environ,
            input=text_in,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def laptop(paas: Instance) -> Iterator[Workstation]:
    git = paas.app("shop")
    git.fill(Path(__file__).parent / "apps" / "probe")
    git.git("remote", "remove", "paas")
    runtime = Path("/tmp") / f"run-{paas.id}"  # sockets have short paths
    runtime.mkdir(mode=0o700)
    programs = runtime / "bin"
    programs.mkdir()
    command = programs / "paas"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m paas "$@"\n')
    command.chmod(0o755)
    environ = git.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
        "XDG_RUNTIME_DIR": str(runtime),
        "PAAS_SSH": git.ssh.for_git,
    }
    laptop = Workstation(git, environ)
    yield laptop
    laptop.paas("version")  # a command that is at work ends before its connection does
    for socket in (runtime / "paas-ssh").iterdir():
        line = ["ssh", "-o", f"ControlPath={socket}", "-O", "exit", "x"]
        subprocess.run(line, capture_output=True, timeout=20, check=False)
    subprocess.run(["rm", "-r", str(runtime)], check=True, timeout=20)


def test_a_workstation_is_linked_and_makes_an_app(paas: Instance, laptop: Workstation) -> None:
    assert laptop.paas("apps:list").returncode == 20
    host = f"paas@127.0.0.1:{paas.ssh_port}"
    linked = laptop.paas("link", host)
    assert linked.returncode == 0, linked.stderr
    created = laptop.paas("create", "shop")
    assert created.returncode == 0, created.stderr
    assert laptop.git.git("remote", "get-url", "paas").stdout == f"ssh://{host}/shop\n"
    assert "Deployed shop" in laptop.git.push().stderr
    assert laptop.paas("create", "shop").returncode == 1


def test_the_app_is_that_of_the_remote(laptop: Workstation) -> None:
    value = 'it\'s $HOME; `id` "x" \\ *'
    assert laptop.paas("config:set", "--no-restart", f"MOTTO={value}").returncode == 0
    assert laptop.paas("config:get", "MOTTO").stdout == f"{value}\n"
    assert laptop.paas("config:get", "shop", "MOTTO").stdout == f"{value}\n"
    assert laptop.paas("--app", "shop", "config:get", "MOTTO").stdout == f"{value}\n"
    assert json.loads(laptop.paas("apps:report", "--format", "json").stdout)["urls"]
    assert laptop.paas("apps:list").stdout == "shop\n"


def test_exit_statuses_and_streams_are_those_of_the_door(laptop: Workstation) -> None:
    missing = laptop.paas("--app", "none", "apps:report")
    assert (missing.returncode, missing.stdout) == (20, "")
    assert "none does not exist" in missing.stderr
    assert laptop.paas("nonsense").returncode == 1
    assert laptop.paas("apps:create", "x y").returncode == 2
    refused = laptop.paas("apps:destroy", text_in="shoo\n")
    assert (refused.returncode, "nothing was destroyed" in refused.stderr) == (1, True)


def test_hostile_words_reach_the_door_as_they_were_typed(laptop: Workstation) -> None:
    for word in (
        "$(reboot)",
        "a\nb",
        "-oProxyCommand=x",
        "--",
        "'",
        '"',
        "\\",
        "é\u0661",
        "\x1b[2J",
    ):
        done = laptop.paas("apps:create", "--", word)
        assert done.returncode == 2, (word, done.stdout, done.stderr)
        assert "\x1b" not in done.stderr
    assert laptop.paas("apps:list").stdout == "shop\n"
    assert laptop.paas("x" * 9000).returncode == 1


RAW = [
    *(b"'", b'"', b"apps:create \x01", b"apps:create 'a\nb'", b"x" * 9000, b"apps:create \xff"),
    *(b"--app", b"--in", b"logs $(id)", b"; reboot", b"apps:create \xd9\xa1"),
]


@pytest.mark.parametrize("line", RAW)
def test_what_no_client_of_ours_sends_is_refused(laptop: Workstation, line: bytes) -> None:
    done = subprocess.run(
        [*laptop.git.ssh.command, "--", line], capture_output=True, timeout=60, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode in {1, 2, 20}, said
    assert b"Traceback" not in said
    assert b"made a mistake" not in said
    assert laptop.paas("apps:list").stdout == "shop\n"


def test_one_connection_serves_all_commands(laptop: Workstation) -> None:
    took = []
    for _ in range(5):
        began = time.monotonic()
        assert laptop.paas("config:get", "MOTTO").returncode == 0
        took.append(1000 * (time.monotonic() - began))
    [socket] = (Path(laptop.environ["XDG_RUNTIME_DIR"]) / "paas-ssh").iterdir()
    assert socket.stat().st_mode & 0o077 == 0
    print("over a kept connection:", ", ".join(f"{ms:.0f} ms" for ms in took))


def test_logs_are_followed_until_the_client_leaves(paas: Instance, laptop: Workstation) -> None:
    line = [sys.executable, "-m", "paas", "logs", "-t"]
    with subprocess.Popen(
        line,
        cwd=laptop.git.tree,
        env=laptop.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as client:
        assert paas.status("shop") == 200
        assert client.stdout
        assert "shop[web.1]" in client.stdout.readline()
        client.terminate()
    assert laptop.paas("apps:list").returncode == 0


def test_the_browser_gets_the_address_of_the_app(paas: Instance, laptop: Workstation) -> None:
    shown = Path(laptop.environ["XDG_RUNTIME_DIR"]) / "shown"
    laptop.environ["BROWSER"] = f"sh -c 'echo %s > {shown}'"
    assert laptop.paas("open", "/health").returncode == 0
    assert shown.read_text() == f"http://shop.{paas.domain}:{paas.http_port}/health\n"


def complete(laptop: Workstation, line: str) -> list[str]:
    """Press TAB at the end of the line in a real bash."""
    script = (
        'eval "$(paas completion bash)"; COMP_LINE=$1; COMP_POINT=${#1};'
        ' _paas; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script, "bash", line],
        cwd=laptop.git.tree,
        env=laptop.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.split()


def test_bash_completes_verbs_flags_and_apps(laptop: Workstation) -> None:
    assert complete(laptop, "paas apps:cr") == ["create"]
    assert complete(laptop, "paas cre") == ["create"]
    assert complete(laptop, "paas --app s") == ["shop"]
    assert complete(laptop, "paas apps:destroy ") == ["shop"]
    assert "--format" in complete(laptop, "paas apps:report --f")
    assert complete(laptop, "paas apps:report --format j") == ["json"]


def test_a_terminal_is_passed_on_when_there_is_one(laptop: Workstation) -> None:
    assert laptop.paas("run", "tty").stdout == "not a tty\n"
    done = subprocess.run(
        ["script", "-qec", shlex.join([sys.executable, "-m", "paas", "run", "tty"]), "/dev/null"],
        cwd=laptop.git.tree,
        env=laptop.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "/dev/" in done.stdout) == (0, True), done.stdout
