"""An app hangs: find out where, with tools beside it and without stopping it."""

import json
import re

import pytest

from tests.journeys.instance import Instance
from tests.journeys.programs import Git
from tests.journeys.test_first_push import APP, write_version

HANGS = APP.replace(
    "    def do_GET(self):\n",
    "    def do_GET(self):\n        if self.path == '/hang': __import__('time').sleep(600)\n",
)
READ_STATE = "'cat /proc/[0-9]*/wchan; grep -l app.py /proc/[0-9]*/cmdline'"


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    write_version(git, "one")
    git.write("app.py", HANGS)
    git.commit("an app that hangs")
    git.push()
    paas.paas("config:set", "shop", "TOKEN=very-secret")
    paas.curl("shop", "/hang", "--max-time", "2")
    return git


def test_the_app_hangs_while_its_process_runs(paas: Instance, shop: Git) -> None:
    assert paas.status("shop", "/hang") != 200
    assert "running" in shop.ssh.run("ps:report", "shop").stdout
    assert "python3 app.py" in shop.ssh.run("ps:top", "shop").stdout
    [row] = json.loads(shop.ssh.run("ps:stats", "shop", "--format", "json").stdout)
    assert row["cpu_percent"] < 50
    assert 1 < row["memory_mb"] < row["memory_limit_mb"] == 512


def test_tools_beside_it_see_its_processes_and_its_port(shop: Git) -> None:
    seen = shop.ssh.run("debug", "shop", "web", "sh", "-c", READ_STATE)
    assert re.search(r"/proc/\d+/cmdline", seen.stdout), seen
    line = "'ss -ltn; touch /x; id -u; grep -c docker /proc/1/cgroup'"
    ports = shop.ssh.run("debug", "shop", "web", "sh", "-c", line)
    assert ":5000" in ports.stdout
    assert "Read-only file system" in ports.stderr


def test_a_capability_is_refused_to_others_and_written_down_for_admins(
    paas: Instance, shop: Git
) -> None:
    words = ("debug", "--cap", "SYS_PTRACE", "shop", "web", "grep", "CapEff", "/proc/self/status")
    given = paas.paas(*words)
    assert f"{1 << 19:016x}" in given.stdout
    assert "debug by root with SYS_PTRACE" in shop.ssh.run("logs", "shop").stdout


def test_no_secret_is_shown(shop: Git) -> None:
    said = shop.ssh.run("ps:inspect", "shop").stdout
    assert "TOKEN=***" in said
    assert "very-secret" not in said


@pytest.mark.parametrize(
    ("host", "port", "status", "said"),
    [
        ("localhost", "5000", 0, "port 5000 answers"),
        ("localhost", "5999", 1, "Connection refused"),
        ("no-such-name.invalid", "80", 1, "has no address"),
        ("169.254.169.254", "80", 1, "metadata service is walled off"),
        ("172.17.0.1", "22", 1, "Of this host, apps reach ports"),
    ],
)
def test_the_network_is_looked_at_from_inside(
    shop: Git, host: str, port: str, status: int, said: str
) -> None:
    done = shop.ssh.run("network:probe", "shop", host, port)
    assert (done.returncode, said in done.stdout) == (status, True), done


def test_the_network_of_another_app_is_named_as_the_wall(paas: Instance, shop: Git) -> None:
    inside = paas.environ["PAAS_NETWORK"].replace(".0.0/16", ".9.9")
    done = shop.ssh.run("network:probe", "shop", inside, "5000", "--format", "json")
    [attempt] = json.loads(done.stdout)["attempts"]
    assert "Apps do not reach each other" in attempt["wall"]
