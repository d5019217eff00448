"""A company keeps its repositories under stock git: its `update` hook deploys through paas."""

import shutil
import subprocess

import pytest

from tests.journeys.instance import CHECKOUT, Instance
from tests.journeys.test_first_push import write_version

SHELLS = ["dash", "bash --posix"]


@pytest.fixture(scope="module")
def path(paas: Instance) -> str:
    """Return a PATH on which `paas` is this instance's, as it is where paas is installed."""
    wrapper = paas.root / "bin" / "paas"
    wrapper.parent.mkdir()
    own = " ".join(f"{key}={value}" for key, value in paas.environ.items() if "PAAS_" in key)
    python = CHECKOUT / ".venv" / "bin" / "python"
    wrapper.write_text(f'#!/bin/sh\nexec env PYTHONPATH={CHECKOUT} {own} {python} -m paas "$@"\n')
    wrapper.chmod(0o755)
    return f"{wrapper.parent}:{paas.environ['PATH']}"


class Stock:
    """A bare repository with the hook, and a work tree whose `origin` it is."""

    def __init__(self, paas: Instance, app: str, path: str, shell: str = "sh") -> None:
        self.bare = paas.root / "stock" / f"{app}.git"
        self.work = paas.app(app)
        self.path = path
        self.work.git("init", "-q", "--bare", str(self.bare))
        self.work.git("remote", "add", "origin", str(self.bare))
        hook = self.bare / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        text = (CHECKOUT / "hooks" / "update").read_text()
        program, *options = shell.split()
        hook.write_text(
            text.replace("#!/bin/sh", " ".join([f"#!{shutil.which(program)}", *options]))
        )
        hook.chmod(0o755)
        self.set("paas.app", app)

    def set(self, key: str, value: str) -> None:
        self.work.git("-C", str(self.bare), "config", key, value)

    def push(self, *refs: str) -> subprocess.CompletedProcess[str]:
        """Push as the company's server does: no key of ours, `paas` on PATH."""
        environ = {**self.work.environ, "PATH": self.path}
        del environ["GIT_SSH_COMMAND"]
        return subprocess.run(
            ["git", "push", "origin", *refs],
            cwd=self.work.tree,
            env=environ,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def tip(self, ref: str) -> str:
        return self.work.git(
            "-C", str(self.bare), "rev-parse", "-q", "--verify", ref, check=False
        ).stdout


@pytest.fixture(scope="module", params=SHELLS)
def stock(paas: Instance, path: str, request: pytest.FixtureRequest) -> Stock:
    app = f"shop-{request.param.split()[0]}"
    return Stock(paas, app, path, request.param)


@pytest.fixture
def live(paas: Instance, stock: Stock) -> Stock:
    """Have version `one` deployed from the stock repository."""
    if not stock.tip("master"):
        write_version(stock.work, "one")
        done = stock.push("master")
        assert done.returncode == 0, done.stderr
    return stock


def test_a_push_to_the_stock_repository_deploys_through_the_local_door(
    paas: Instance, live: Stock
) -> None:
    assert live.tip("master") == live.work.git("rev-parse", "HEAD").stdout
    assert paas.curl(live.work.app).stdout == "one plain"


def test_the_developer_reads_the_deploy_s_output(paas: Instance, live: Stock) -> None:
    write_version(live.work, "one")
    said = live.push("master").stderr
    assert f"Deployed {live.work.app} v2" in said
    assert "from root" in said


def test_a_failed_deploy_rejects_the_push_and_the_branch_stays(paas: Instance, live: Stock) -> None:
    before = live.tip("master")
    good = live.work.git("rev-parse", "HEAD").stdout.strip()
    live.work.write("app.py", "raise SystemExit(3)\n")
    live.work.commit("broken")
    done = live.push("master")
    assert done.returncode != 0
    assert "exited with code 3" in done.stderr
    assert "hook declined" in done.stderr
    assert live.tip("master") == before
    assert paas.curl(live.work.app).stdout == "one plain"
    live.work.git("reset", "-q", "--hard", good)


def test_other_branches_and_tags_are_stored_and_deploy_nothing(paas: Instance, live: Stock) -> None:
    live.work.git("tag", "-f", "v1.0")
    done = live.push("HEAD:refs/heads/topic", "v1.0")
    assert done.returncode == 0, done.stderr
    assert "Deployed" not in done.stderr
    assert live.tip("topic") == live.work.git("rev-parse", "HEAD").stdout


def test_the_deploying_branch_cannot_be_deleted(live: Stock) -> None:
    live.set("receive.denyDeleteCurrent", "ignore")  # else git itself refuses
    done = live.push(":master")
    assert done.returncode != 0
    assert "cannot be deleted" in done.stderr
    assert live.tip("master")


def test_another_branch_deploys_where_it_is_set(paas: Instance, path: str) -> None:
    stock = Stock(paas, "trunk", path)
    stock.set("paas.branch", "main")
    write_version(stock.work, "one")
    assert stock.push("master").returncode == 0
    assert stock.work.ssh.run("apps:exists", "trunk").returncode == 20
    assert stock.push("master:main").returncode == 0
    assert paas.curl("trunk").stdout == "one plain"


def test_a_server_elsewhere_deploys_over_ssh_with_a_key_of_its_own(
    paas: Instance, path: str
) -> None:
    server = paas.user("stock-server")
    stock = Stock(paas, "remote", path)
    stock.set("paas.remote", f"ssh://paas@127.0.0.1:{paas.ssh_port}/remote")
    stock.set("core.sshCommand", server.for_git)
    write_version(stock.work, "one")
    done = stock.push("master")
    assert done.returncode == 0, done.stderr
    assert "from stock-server" in done.stderr
    assert paas.curl("remote").stdout == "one plain"


def test_a_hook_without_an_app_says_how_to_set_it(paas: Instance, path: str) -> None:
    stock = Stock(paas, "unset", path)
    stock.work.git("-C", str(stock.bare), "config", "--unset", "paas.app")
    write_version(stock.work, "one")
    done = stock.push("master")
    assert done.returncode != 0
    assert "git config paas.app NAME" in done.stderr
