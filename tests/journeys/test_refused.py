"""What goes wrong is refused with one clear cause, and nothing that works is changed."""

from collections.abc import Iterator

import pytest

from tests.journeys.instance import Instance, running
from tests.journeys.programs import Git, Ssh
from tests.journeys.test_first_push import write_version


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    with running(health_timeout="8") as instance:
        yield instance


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    write_version(git, "good")
    git.push()
    return git


@pytest.fixture
def refused(paas: Instance, shop: Git) -> Iterator[Git]:
    """Hand over the work tree; afterwards the good version serves and can be pushed over."""
    before = paas.containers()
    good = shop.git("rev-parse", "HEAD").stdout.strip()
    yield shop
    assert paas.curl("shop").stdout == "good plain"
    assert paas.containers() == before
    remote = shop.git("ls-remote", "paas", "refs/heads/master").stdout.split()[0]
    assert remote == good
    shop.git("reset", "-q", "--hard", good)


def push_refused(git: Git) -> str:
    git.commit("bad")
    done = git.push(check=False)
    assert done.returncode != 0
    assert "[remote rejected] master -> master" in done.stderr
    assert "v1 is still serving" in done.stderr
    assert "paas made a mistake" not in done.stderr
    return done.stderr


def test_a_build_error_shows_the_failing_step(refused: Git) -> None:
    refused.write("requirements.txt", "no-such-package-anywhere-at-all==9.9\n")
    said = push_refused(refused)
    assert "no-such-package-anywhere-at-all" in said


def test_a_tree_that_no_buildpack_knows_says_what_would_match(refused: Git) -> None:
    refused.git("rm", "-q", "-r", ".")
    refused.write("notes.txt", "hello")
    said = push_refused(refused)
    assert "notes.txt" in said
    assert "requirements.txt" in said


def test_a_broken_procfile_names_the_line(refused: Git) -> None:
    refused.write("Procfile", "web: python3 app.py\nweb: twice\n")
    assert "line 2" in push_refused(refused)


def test_a_crash_at_start_shows_the_last_lines_and_the_exit_code(refused: Git) -> None:
    refused.write("app.py", "import os\nos.environ['SECRET_KEY']\n")
    said = push_refused(refused)
    assert "exited with code 1" in said
    assert "KeyError" in said
    assert "config:set shop SECRET_KEY=" in said


def test_a_server_on_the_loopback_address_only_is_recognised(refused: Git) -> None:
    text = (refused.tree / "app.py").read_text()
    refused.write("app.py", text.replace("0.0.0.0", "127.0.0.1"))
    assert "127.0.0.1 only" in push_refused(refused)


def test_a_server_on_another_port_is_recognised(refused: Git) -> None:
    text = (refused.tree / "app.py").read_text()
    refused.write("app.py", text.replace('int(os.environ["PORT"])', "8000"))
    assert "8000, not $PORT" in push_refused(refused)


def test_a_bad_app_name_creates_nothing(paas: Instance, shop: Git) -> None:
    done = shop.git("push", f"ssh://paas@127.0.0.1:{paas.ssh_port}/Bad_Name", "master", check=False)
    assert done.returncode != 0
    assert "is not an app name" in done.stderr
    assert shop.ssh.run("apps:list", "--format", "json").stdout.strip() == '["shop"]'


def test_a_first_push_that_fails_leaves_no_app(paas: Instance) -> None:
    git = paas.app("unborn")
    git.write("notes.txt", "nothing to run")
    git.commit()
    assert git.push(check=False).returncode != 0
    assert git.ssh.run("apps:exists", "unborn").returncode == 20


@pytest.mark.parametrize(
    "verb", ["ps:report", "config:show", "apps:destroy", "logs", "domains:report"]
)
def test_an_unknown_app_is_exit_20_for_every_verb(shop: Git, verb: str) -> None:
    done = shop.ssh.run(verb, "shoo")
    assert done.returncode == 20
    assert "shoo" in done.stderr
    assert "shop" in done.stderr  # the nearest name


def test_an_unknown_app_cannot_be_cloned(paas: Instance, shop: Git) -> None:
    done = shop.git("clone", f"ssh://paas@127.0.0.1:{paas.ssh_port}/shoo", "nowhere", check=False)
    assert done.returncode != 0
    assert "does not exist" in done.stderr


def test_a_key_that_nobody_added_gets_nowhere(paas: Instance, shop: Git) -> None:
    stranger = Ssh(paas.root / "users" / "stranger", paas.ssh_port)
    assert stranger.run("apps:list").returncode == 255
    stolen = Git(paas.root / "work" / "stranger", stranger, "shop")
    stolen.write("app.py", "")
    stolen.commit()
    assert "Permission denied" in stolen.push(check=False).stderr


def test_a_key_that_was_removed_gets_nowhere_any_more(paas: Instance) -> None:
    ben = paas.user("ben")
    assert ben.run("apps:list").returncode == 0
    paas.paas("ssh-keys:remove", "ben")
    assert ben.run("apps:list").returncode == 255


def test_verbs_that_open_walls_are_root_s(shop: Git) -> None:
    done = shop.ssh.run("security:set", "shop", "writable-root", "true")
    assert done.returncode == 1
    assert "root on the host" in done.stderr


def test_a_hook_that_refuses_stops_the_deploy(paas: Instance, refused: Git) -> None:
    folder = paas.root / "hooks" / "pre-build.d"
    folder.mkdir(parents=True, exist_ok=True)
    hook = folder / "10-freeze"
    hook.write_text("#!/bin/sh\necho frozen until Monday\nexit 1\n")
    hook.chmod(0o755)
    refused.write("new.txt", "x")
    try:
        assert "frozen until Monday" in push_refused(refused)
    finally:
        hook.unlink()


def test_a_config_value_that_breaks_the_app_is_not_kept(paas: Instance, shop: Git) -> None:
    done = shop.ssh.run("config:set", "shop", "PYTHONHOME=/nonexistent")
    assert done.returncode == 1
    assert shop.ssh.run("config:get", "shop", "PYTHONHOME").returncode == 1
    assert paas.curl("shop").stdout == "good plain"
