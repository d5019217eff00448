"""Real applications, pushed as their authors wrote them."""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from tests.journeys.instance import Instance
from tests.journeys.programs import Git

EXPECTED = {
    "hello": "Hello",
    "flask": "",
    "django": "",
    "vite": "<script",
    "docker-two-stage": "",
    "docker-apt": "",
}


@pytest.mark.parametrize("example", EXPECTED)
def test_an_example_goes_live_and_answers(paas: Instance, example: str) -> None:
    git = paas.app(example, example)
    if example == "django":
        lock_with_uv(git)
    said = git.push().stderr
    assert f"Deployed {example} v1" in said
    assert paas.status(example) in {200, 302}
    assert EXPECTED[example] in paas.curl(example, "/", "-L").stdout


def lock_with_uv(git: Git) -> None:
    """Lock as the author does. The lock names the index it came from, so the example has none."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "lock", "--quiet"], cwd=git.tree, check=True, timeout=120)
    git.commit("lock")


def test_the_locked_versions_are_what_is_installed(paas: Instance) -> None:
    log = paas.paas("deploys:log", "django").stdout
    assert "uv (uv.lock)" in log


def test_an_image_that_says_root_still_runs_as_a_user_of_its_own(paas: Instance) -> None:
    [name] = [n for n in paas.containers() if "-docker-two-stage." in n]
    found = subprocess.run(
        ["ps", "-eo", "uid,args"], capture_output=True, text=True, check=True, timeout=10
    )
    servers = re.findall(r"^\s*(\d+) server$", found.stdout, re.MULTILINE)
    assert servers, name
    assert all(int(uid) > 200_000 for uid in servers)


def test_django_serves_its_collected_files(paas: Instance) -> None:
    page = paas.curl("django", "/", "-L").stdout
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert files, page
    assert paas.status("django", files[0]) == 200


def test_an_asset_of_the_built_site_is_served(paas: Instance) -> None:
    page = paas.curl("vite").stdout
    assets = re.findall(r'src="(/assets/[^"]+\.js)"', page)
    assert assets, page
    assert paas.status("vite", assets[0]) == 200


def test_two_people_see_each_other_s_edits_over_long_polling(paas: Instance) -> None:
    git = paas.app("code-it", "code-it")
    said = git.push().stderr
    assert "Node" in said
    assert git.ssh.run("domains:add", "code-it", "localhost").returncode == 0
    url = f"http://localhost:{paas.http_port}"
    assert "two clients see each other's edits" in run_with_node(git.tree, f"node test.js {url}")


def run_with_node(tree: Path, command: str) -> str:
    """Run a command of the author's own machine, which has Node, in the app's work tree."""
    line = f"npm install --no-audit --no-fund --no-package-lock --silent && {command}"
    with contextlib.closing(docker.DockerClient()) as engine:
        output = engine.containers.run(
            "paas/stack-build:trixie",
            ["/bin/sh", "-c", line],
            network_mode="host",
            working_dir="/tree",
            volumes={str(tree): {"bind": "/tree", "mode": "rw"}},
            environment={"NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt"},
            remove=True,
        )
    return str(output.decode())
