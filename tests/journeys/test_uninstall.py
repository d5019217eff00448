"""paas leaves a host on which work goes on: a deploy, and a user's connection."""

import os
import pwd
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.doors.running import wait_for
from tests.journeys.instance import CHECKOUT, Instance, running

pytestmark = pytest.mark.journey


@pytest.fixture
def paas() -> Iterator[Instance]:
    with running(door_user=f"paas-t{secrets.token_hex(3)}") as instance:
        yield instance


def test_a_deploy_at_work_ends_and_nothing_comes_back(paas: Instance) -> None:
    begun, hook = paas.root / "begun", paas.root / "hooks" / "pre-build.d" / "slow"
    hook.write_text(f"#!/bin/sh\ntouch {begun}\nsleep 50\n")
    hook.chmod(0o755)
    push = subprocess.Popen(
        ["git", "push", "-q", "paas", "master"],
        cwd=paas.app("shop", "hello").tree,
        env=os.environ | {"GIT_SSH_COMMAND": paas.ssh.for_git},
        stderr=subprocess.DEVNULL,
    )
    wait_for(begun.exists)
    done = subprocess.run(
        [sys.executable, "-m", "paas.setup.remove"],
        cwd=CHECKOUT,
        env=paas.environ,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "ended 1 deploys at work" in done.stdout
    assert push.wait(30) != 0
    ours = {"begun", "users", "work"}  # and the files of the test's own nginx
    assert {p.name for p in paas.root.iterdir() if not p.name.startswith("nginx-")} - ours <= {
        "nginx.conf",
        "nginx.pid",
    }
    with pytest.raises(KeyError):
        pwd.getpwnam(paas.environ["PAAS_DOOR_USER"])
