"""Apps meet their walls, are told how to open exactly one, and reach nothing behind the others."""

import json
import re
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import docker
import pytest

from tests.journeys.instance import Instance, running
from tests.journeys.programs import Git

PROBE = Path(__file__).parent / "apps" / "probe"
FOLDER = "from pathlib import Path\nPath('/srv/shop/cache').mkdir(parents=True)\n"
BESIDE_THE_CODE = "open('notes.txt', 'w').write('x')\n"
LARGE = "open('/tmp/large', 'wb').write(bytes(100 << 20))\n"
NAME = "import getpass\nprint(getpass.getuser())\n"


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    with running(ssh_listen="0.0.0.0") as instance:
        yield instance


def push_probe(paas: Instance, name: str) -> Git:
    git = paas.app(name)
    git.fill(PROBE)
    git.push()
    return git


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    return push_probe(paas, "shop")


@pytest.fixture(scope="module")
def other(paas: Instance) -> Git:
    return push_probe(paas, "other")


@pytest.mark.parametrize(
    ("start", "cause", "opens"),
    [
        (FOLDER, "writes to /srv/shop", ["tmpfs", "/srv=16m"]),
        (BESIDE_THE_CODE, "read-only", ["writable-root", "true"]),
        (LARGE, "/tmp is full", ["tmp-size", "256m"]),
    ],
    ids=["tmpfs", "writable-root", "tmp-size"],
)
def test_the_command_that_a_failed_push_names_opens_the_wall(
    paas: Instance, shop: Git, start: str, cause: str, opens: list[str]
) -> None:
    shop.write("start.py", start)
    shop.commit(opens[0])
    said = shop.push(check=False).stderr
    assert cause in said
    typed = commands_in(said)
    assert typed == ["security:set", "shop", *opens]
    paas.paas(*typed)
    shop.push()
    assert paas.curl("shop", "/name").stdout == "shop"
    report = json.loads(shop.ssh.run("security:report", "shop", "--format", "json").stdout)
    assert report["loosened"] == [opens[0]]
    shut(paas, shop, opens[0])


def commands_in(said: str) -> list[str]:
    """Return the one `security:set ...` that the output tells to type."""
    [found] = set(re.findall(r"security:set .*?$", said, re.MULTILINE))
    return shlex.split(found)


def shut(paas: Instance, shop: Git, wall: str) -> None:
    """Bring the default back; the app that needs the opening does not start any more."""
    paas.paas("security:set", "shop", wall, "")
    assert shop.ssh.run("ps:restart", "shop").returncode == 1
    assert paas.curl("shop", "/name").stdout == "shop"


def test_an_image_that_looks_up_its_user_is_told_of_run_as(paas: Instance, other: Git) -> None:
    other.write("start.py", NAME)
    other.commit("asks for its name")
    said = other.push(check=False).stderr
    assert "security:set other run-as N" in said
    paas.paas("security:set", "other", "run-as", "33")  # www-data, in every Debian
    other.push()
    assert privileges(paas, "other")["Uid"].split()[0] == "33"


def privileges(paas: Instance, app: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(paas.curl(app, "/privileges").stdout)
    return found


def test_a_first_push_that_meets_a_wall_can_be_repaired_by_what_it_names(paas: Instance) -> None:
    git = paas.app("newborn")
    git.fill(PROBE)
    git.write("start.py", BESIDE_THE_CODE)
    git.commit("writes at once")
    said = git.push(check=False).stderr
    assert "apps:create newborn" in said
    assert git.ssh.run("apps:create", "newborn").returncode == 0
    paas.paas(*commands_in(said))
    git.push()
    assert paas.curl("newborn", "/name").stdout == "newborn"


def ask(paas: Instance, path: str, **query: object) -> str:
    """Let the app `shop` look."""
    return paas.curl("shop", f"{path}?{urlencode(query)}").stdout


def test_an_app_cannot_reach_another_app(paas: Instance, shop: Git, other: Git) -> None:
    [address] = addresses(paas, "other")
    with socket.create_connection((address, 5000), timeout=10):  # the host can
        pass
    assert ask(paas, "/connect", host=address, port=5000) == "Connection refused"


def addresses(paas: Instance, app: str) -> list[str]:
    """Return the container addresses of an app's current processes."""
    [name] = [name for name in paas.containers() if name.startswith(f"{paas.id}-{app}.")]
    engine = docker.APIClient()
    found = engine.inspect_container(name)["NetworkSettings"]["Networks"].values()
    engine.close()
    return [network["IPAddress"] for network in found]


def test_an_app_cannot_reach_the_host_s_own_ports(paas: Instance, shop: Git) -> None:
    host = ask(paas, "/gateway")
    with socket.create_connection((host, paas.ssh_port), timeout=10):  # the host itself can
        pass
    assert ask(paas, "/connect", host=host, port=paas.ssh_port) == "Connection refused"


def test_an_app_cannot_reach_the_cloud_s_metadata(paas: Instance, shop: Git) -> None:
    assert ask(paas, "/connect", host="169.254.169.254", port=80) == "Connection refused"


def test_an_app_can_call_its_own_public_url(paas: Instance, shop: Git) -> None:
    host = ask(paas, "/gateway")
    asked = ask(paas, "/fetch", address=host, port=paas.http_port, host=f"shop.{paas.domain}")
    assert asked == "shop"


def test_a_dockerfile_that_says_root_runs_without_any_privilege(paas: Instance) -> None:
    git = paas.app("rooted")
    git.fill(PROBE)
    git.write(
        "Dockerfile",
        'FROM paas/stack\nWORKDIR /app\nCOPY . .\nUSER root\nCMD ["python3", "app.py"]\n',
    )
    git.git("rm", "-q", "--cached", "Procfile")
    (git.tree / "Procfile").unlink()
    git.commit("root")
    git.push()
    found = privileges(paas, "rooted")
    assert all(int(uid) > 200_000 for uid in found["Uid"].split())
    assert found["CapEff"] == found["CapBnd"] == "0000000000000000"
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2"
    assert found["docker.sock"] == "False"
