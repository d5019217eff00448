"""A team of three with different rights, and a machine that may only push."""

import contextlib
import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.journeys.instance import Instance
from tests.journeys.programs import Git, Ssh
from tests.journeys.test_first_push import write_version


@pytest.fixture(scope="module")
def carla(paas: Instance) -> Ssh:
    """Owns the shop; paas.ssh is anna's, the admin's."""
    return paas.user("carla")


@pytest.fixture(scope="module")
def ben(paas: Instance) -> Ssh:
    """Deploys it."""
    return paas.user("ben")


@pytest.fixture(scope="module")
def vera(paas: Instance) -> Ssh:
    """Looks at it."""
    return paas.user("vera")


@pytest.fixture(scope="module")
def shop(paas: Instance, carla: Ssh) -> Git:
    git = paas.app("shop", user=carla)
    write_version(git, "one")
    git.push()
    return git


def test_who_pushed_first_owns_the_app_and_others_know_nothing_of_it(shop: Git, ben: Ssh) -> None:
    hidden, missing = ben.run("ps:report", "shop"), ben.run("ps:report", "nope")
    assert hidden.returncode == missing.returncode == 20
    assert hidden.stderr.replace("shop", "nope") == missing.stderr
    assert ben.run("apps:list", "--format", "json").stdout == "[]\n"


def test_a_stranger_can_neither_push_to_it_nor_clone_it(
    paas: Instance, shop: Git, ben: Ssh
) -> None:
    git = paas.app("shop", user=ben)
    write_version(git, "evil")
    pushed = git.push(check=False)
    cloned = git.git("clone", git.url, "copy", check=False)
    for said in (pushed.stderr, cloned.stderr):
        assert "App shop does not exist" in said
    assert paas.curl("shop").stdout == "one plain"


def test_the_owner_lets_the_others_in(paas: Instance, shop: Git, ben: Ssh, vera: Ssh) -> None:
    assert shop.ssh.run("access:grant", "shop", "ben", "deployer").returncode == 0
    assert shop.ssh.run("access:grant", "shop", "vera", "viewer").returncode == 0
    git = paas.app("shop", user=ben)
    git.git("pull", "-q", "paas", "master")
    write_version(git, "two")
    assert "from ben" in git.push().stderr
    assert paas.curl("shop").stdout == "two plain"
    assert "two" in vera.run("releases:info", "shop").stdout


def test_each_may_what_the_role_says(shop: Git, ben: Ssh, vera: Ssh) -> None:
    assert ben.run("config:set", "shop", "TOKEN=s3cr3t").returncode == 0
    assert vera.run("config:keys", "shop").stdout.endswith("TOKEN\n")
    assert vera.run("config:get", "shop", "TOKEN").returncode == 1
    assert "needs the role deployer" in vera.run("ps:restart", "shop").stderr
    assert "needs the role owner" in ben.run("apps:destroy", "shop", "--force").stderr
    assert ben.run("users:set", "ben", "role", "admin").returncode == 1


def test_what_a_viewer_has_open_ends_when_the_role_is_taken_away(
    paas: Instance, shop: Git, vera: Ssh
) -> None:
    with following(vera) as logs:
        assert logs.stdout
        assert logs.stdout.readline()  # it is at work
        assert shop.ssh.run("access:revoke", "shop", "vera").returncode == 0
        assert logs.wait(20) == 129
    assert vera.run("logs", "shop").returncode == 20


def test_what_a_removed_user_has_open_ends(paas: Instance, shop: Git, vera: Ssh) -> None:
    shop.ssh.run("access:grant", "shop", "vera", "viewer")
    with following(vera) as logs:
        assert logs.stdout
        assert logs.stdout.readline()
        paas.paas("users:remove", "vera")
        assert logs.wait(20) in {129, 255}  # the command ended, or the door was faster
    assert vera.run("version").returncode == 255


@contextlib.contextmanager
def following(who: Ssh) -> Iterator[subprocess.Popen[bytes]]:
    """Let somebody follow the log."""
    command = [*who.command, "logs", "shop", "-t"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def pipeline(paas: Instance, shop: Git) -> Git:
    """Return what a CI job has: a shallow clone of the project, and a key that is a token's."""
    made = shop.ssh.run("tokens:create", "shop", "ci", "--expires", "1d", "--generate")
    assert made.returncode == 0, made.stderr
    machine = Ssh(paas.root / "users" / "ci", paas.ssh_port)
    machine.key.write_text(made.stdout)
    machine.key.with_suffix(".pub").unlink()  # of the key that it had; ssh would offer that one
    git = paas.app("shop", user=machine)
    git.git("fetch", "-q", "--depth", "1", f"file://{shop.tree}", "master")
    git.git("reset", "-q", "--hard", "FETCH_HEAD")
    return git


def test_a_pipeline_deploys_with_a_token_and_may_nothing_else(paas: Instance, shop: Git) -> None:
    shop.git("pull", "-q", "paas", "master")
    write_version(shop, "three")
    job = pipeline(paas, shop)
    assert job.git("rev-list", "--count", "HEAD").stdout.strip() == "1"
    assert "from shop:ci" in job.push("--force", "HEAD:master").stderr
    assert paas.curl("shop").stdout == "three plain"
    for argv in (("config:show", "shop"), ("apps:list",), ("tokens:list", "shop")):
        refused = job.ssh.run(*argv)
        assert (refused.returncode, refused.stdout) == (1, "")
    elsewhere = Git(paas.root / "work" / "elsewhere", job.ssh, "other")
    write_version(elsewhere, "evil")
    assert "App other does not exist" in elsewhere.push(check=False).stderr
    assert shop.ssh.run("tokens:revoke", "shop", "ci").returncode == 0
    assert "Permission denied" in job.push("--force", "HEAD:again", check=False).stderr


def test_the_admin_reads_who_did_what(paas: Instance, shop: Git, ben: Ssh) -> None:
    lines = json.loads(paas.ssh.run("audit:list", "--app", "shop", "--format", "json").stdout)
    told = [(line["actor"], line["verb"], line["status"]) for line in lines]
    assert ("carla", "git-receive-pack", 0) in told
    assert ("ben", "git-receive-pack", 20) in told
    assert ("vera", "config:get", 1) in told
    assert ("shop:ci", "git-receive-pack", 0) in told
    assert "s3cr3t" not in json.dumps(lines)
    assert ben.run("audit:list").returncode == 1
