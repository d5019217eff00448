"""Parts of paas are killed or stopped while it works: each comes back, and apps never notice."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.journeys.instance import Instance
from tests.journeys.programs import Git, Ssh
from tests.journeys.test_first_push import write_version
from tests.journeys.test_hard_times import until


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    write_version(git, "start")
    git.push()
    return git


def parts(paas: Instance, name: str) -> list[int]:
    """Return the pids of the daemon's children with this name, or with this in their arguments."""
    daemon = int((paas.root / "run" / "paas.pid").read_text().split()[0])
    pids = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
    return [int(pid) for pid in pids if name in describe(int(pid))]


def describe(pid: int) -> str:
    try:
        process = Path(f"/proc/{pid}")
        return (process / "comm").read_text() + (process / "cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.mark.parametrize("name", ["paas.doors.ssh", "paas-background"])
def test_a_helper_that_is_killed_comes_back(paas: Instance, shop: Git, name: str) -> None:
    until(lambda: len(parts(paas, name)) == 1, f"{name} runs")
    [before] = parts(paas, name)
    os.kill(before, signal.SIGKILL)
    until(lambda: bool(parts(paas, name)) and before not in parts(paas, name), f"{name} is back")
    assert shop.ssh.run("apps:list").stdout == "shop\n"
    assert paas.status("shop") == 200


def test_connections_wait_while_the_ssh_door_comes_back(paas: Instance, shop: Git) -> None:
    until(lambda: len(parts(paas, "paas.doors.ssh")) == 1, "the door runs")
    [door] = parts(paas, "paas.doors.ssh")
    os.kill(door, signal.SIGKILL)
    assert shop.ssh.run("apps:exists", "shop").returncode == 0  # the daemon holds the port


@contextmanager
def pushing(git: Git, until_line: str) -> Iterator[subprocess.Popen[str]]:
    """Start a push, and hand it over when it has said this."""
    client = subprocess.Popen(
        ["git", "push", "paas", "master"],
        cwd=git.tree,
        env=git.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert client.stderr
    said = ""
    for line in client.stderr:
        said += line
        if until_line in line:
            break
    else:
        raise AssertionError(said)
    try:
        yield client
    finally:
        client.communicate(timeout=60)


def write_slow_version(git: Git, version: str) -> str:
    """Write a version that takes a moment to start, so that something can happen meanwhile."""
    write_version(git, version)
    git.write("Procfile", "web: sleep 3; exec python3 app.py\n")
    return git.commit(f"slow {version}")


def test_a_deploy_that_is_killed_is_undone_and_can_be_pushed_again(
    paas: Instance, shop: Git
) -> None:
    before = paas.curl("shop").stdout
    write_slow_version(shop, "killed")
    with pushing(shop, "Starting web.1") as client:
        [request] = parts(paas, "paas-request")
        os.kill(request, signal.SIGKILL)
    assert client.returncode != 0
    assert paas.curl("shop").stdout == before
    said = shop.push().stderr
    assert "Deployed shop" in said
    assert paas.curl("shop").stdout == "killed plain"
    until(lambda: len(paas.containers()) == 1, "what the killed deploy started is removed")


def test_stop_leaves_a_running_deploy_to_finish(paas: Instance, shop: Git) -> None:
    head = write_slow_version(shop, "finished")
    with pushing(shop, "Starting web.1"):
        paas.paas("stop")
        assert paas.paas("status", check=False).returncode == 3
    until(lambda: paas.curl("shop").stdout == "finished plain", "the deploy is finished")
    paas.paas("start")
    until(
        lambda: head in shop.git("ls-remote", "paas", "refs/heads/master").stdout,
        "the branch has moved",
    )
    assert "Everything up-to-date" in shop.push().stderr


def test_verbose_shows_what_the_tools_say(shop: Git) -> None:
    write_version(shop, "quiet")
    quiet = shop.push().stderr
    write_version(shop, "verbose")
    verbose = shop.push("-o", "verbose", "master").stderr
    assert "| " not in quiet
    assert re.search(r"remote:        \| .*COPY", verbose)


def test_no_cache_runs_every_step_again(paas: Instance) -> None:
    git = paas.app("cached")
    git.fill(Path(__file__).parent / "apps" / "probe")
    git.push()
    git.write("new.txt", "x")
    git.commit("new")
    assert "Dependencies: cached" in git.push().stderr
    git.write("new.txt", "y")
    git.commit("newer")
    assert "Dependencies: cached" not in git.push("-o", "no-cache", "master").stderr


def test_an_option_that_nobody_knows_is_named(shop: Git) -> None:
    shop.commit("with an option")
    said = shop.push("-o", "no-cash", "master", check=False).stderr
    assert "no-cash" in said
    assert "no-cache" in said


def test_a_verb_says_the_same_with_a_terminal_and_without_but_for_a_list_s_title(shop: Git) -> None:
    plain = shop.ssh.run("apps:list")
    [*command, target] = shop.ssh.command
    terminal = subprocess.run(
        [*command, "-tt", target, "apps:list"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert plain.returncode == terminal.returncode == 0
    title, same = terminal.stdout.replace("\r\n", "\n").split("\n", 1)
    assert (title, same) == ("=====> My Apps", plain.stdout)


def test_a_shell_is_not_to_be_had(shop: Git) -> None:
    done = shop.ssh.run("sh", "-c", "id")
    assert done.returncode != 0
    assert "is not a paas command" in done.stderr


def test_a_key_that_nobody_added_can_clone_nothing(
    paas: Instance, shop: Git, tmp_path: Path
) -> None:
    stranger = Git(tmp_path / "stranger", Ssh(tmp_path / "home", paas.ssh_port), "shop")
    done = stranger.git("clone", shop.url, str(tmp_path / "stolen"), check=False)
    assert done.returncode != 0
    assert "Permission denied (publickey)" in done.stderr
    assert not (tmp_path / "stolen" / "app.py").exists()
