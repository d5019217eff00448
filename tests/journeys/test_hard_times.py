"""Parts of the host fail, clients vanish, pushes collide: what worked goes on working."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.cable import Cable
from tests.journeys.instance import Instance, running, start_nginx
from tests.journeys.programs import Git
from tests.journeys.test_first_push import write_version

WAIT = 60.0
ENGINE = "/var/run/docker.sock"


def until(true: Callable[[], bool], what: str, patience: float = WAIT) -> None:
    """Wait until something is true; fail with its name when it takes too long."""
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


@pytest.fixture(scope="module")
def cable(tmp_path_factory: pytest.TempPathFactory) -> Cable:
    return Cable(tmp_path_factory.mktemp("engine") / "docker.sock", ENGINE)


@pytest.fixture(scope="module")
def paas(cable: Cable) -> Iterator[Instance]:
    with running(engine=cable.address, max_pack=str(2 << 20)) as instance:
        yield instance


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    write_version(git, "start")
    git.push()
    return git


def answers(paas: Instance) -> str:
    return paas.curl("shop").stdout.split(" ")[0]


def test_with_the_engine_gone_a_push_fails_and_the_app_serves(
    paas: Instance, shop: Git, cable: Cable
) -> None:
    before = answers(paas)
    write_version(shop, "no-engine")
    cable.cut()
    try:
        done = shop.push(check=False)
        assert done.returncode != 0
        assert "Docker Engine" in done.stderr
        assert answers(paas) == before
        assert paas.paas("doctor", check=False).returncode != 0
    finally:
        cable.plug()
    shop.push()
    assert answers(paas) == "no-engine"


def test_with_nginx_gone_a_push_says_so_and_changes_nothing(paas: Instance, shop: Git) -> None:
    before, commit = answers(paas), shop.git("rev-parse", "HEAD").stdout.strip()
    assert paas.nginx is not None
    paas.nginx.send_signal(signal.SIGQUIT)
    paas.nginx.wait(30)
    write_version(shop, "no-nginx")
    done = shop.push(check=False)
    start_nginx(paas)
    assert done.returncode != 0
    assert "nginx is not running" in done.stderr
    assert answers(paas) == before
    assert commit in shop.git("ls-remote", "paas", "refs/heads/master").stdout
    shop.push()
    assert answers(paas) == "no-nginx"


def test_a_pack_over_the_limit_is_refused(paas: Instance, shop: Git) -> None:
    before = answers(paas)
    (shop.tree / "big.bin").write_bytes(os.urandom(3 << 20))
    shop.commit("big")
    done = shop.push(check=False)
    assert done.returncode != 0
    assert "2 MB" in done.stderr or "MiB" in done.stderr
    assert answers(paas) == before
    shop.git("reset", "-q", "--hard", "HEAD~1")


def test_a_client_killed_after_the_pack_changes_nothing_for_the_deploy(
    paas: Instance, shop: Git
) -> None:
    write_version(shop, "orphaned")
    shop.write("Procfile", "web: sleep 2; exec python3 app.py\n")
    shop.commit("slow")
    client = subprocess.Popen(
        ["git", "push", "paas", "master"],
        cwd=shop.tree,
        env=shop.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert client.stderr
    for line in client.stderr:
        if b"Starting web.1" in line:
            break
    os.killpg(client.pid, signal.SIGKILL)
    client.communicate()
    until(lambda: answers(paas) == "orphaned", "the deploy goes on without its client")
    head = shop.git("rev-parse", "HEAD").stdout.strip()
    until(lambda: head in shop.git("ls-remote", "paas").stdout, "the branch moves")
    assert "Everything up-to-date" in shop.push().stderr


def test_a_client_killed_in_the_pack_leaves_nothing(paas: Instance, shop: Git) -> None:
    before, remote = answers(paas), shop.git("ls-remote", "paas").stdout
    door = subprocess.Popen(
        [*shop.ssh.command, "git-receive-pack 'shop'"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert door.stdin
    old = remote.split()[0]
    line = f"{old} {'1' * 40} refs/heads/master\0report-status side-band-64k".encode()
    door.stdin.write(b"%04x%s0000" % (len(line) + 4, line) + b"PACK\0\0\0\2\0\0\0\5half a pa")
    door.stdin.flush()
    door.kill()
    door.communicate()
    repo = next((paas.root / "repos").glob("*.git"))
    until(lambda: not list(_quarantines(repo)), "the quarantine is removed")
    assert shop.git("ls-remote", "paas").stdout == remote
    assert answers(paas) == before


def _quarantines(repo: Path) -> Iterator[Path]:
    yield from (path for path in repo.rglob("*quarantine*/*") if path.is_dir())


def test_of_pushes_at_once_each_is_told_and_the_last_accepted_one_runs(
    paas: Instance, shop: Git
) -> None:
    shop.write("Procfile", "web: python3 app.py\n")
    write_version(shop, "base")
    shop.push()
    pushes = []
    for name in ("left", "right"):
        tree = paas.app("shop")
        tree.git("fetch", "-q", "paas", "master")
        tree.git("reset", "-q", "--hard", "FETCH_HEAD")
        write_version(tree, name)
        started = subprocess.Popen(
            ["git", "push", "paas", "master"],
            cwd=tree.tree,
            env=tree.environ,
            stderr=subprocess.PIPE,
            text=True,
        )
        pushes.append((name, tree, started))
    said = {name: (started.communicate(timeout=120)[1], started) for name, _, started in pushes}
    won = [name for name, (_, started) in said.items() if started.returncode == 0]
    assert len(won) == 1
    [lost] = {"left", "right"} - set(won)
    assert "fetch first" in said[lost][0]
    assert answers(paas) == won[0]
    tip = next(tree for name, tree, _ in pushes if name == won[0]).git("rev-parse", "HEAD").stdout
    assert tip.strip() in shop.git("ls-remote", "paas", "refs/heads/master").stdout


def test_a_killed_request_harms_nobody_else(paas: Instance, shop: Git) -> None:
    follower = subprocess.Popen(
        [*shop.ssh.command, "logs", "shop", "-t"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert follower.stdout
    paas.curl("shop", "/followed")
    follower.stdout.readline()
    os.kill(_request_at_work(paas), signal.SIGKILL)
    follower.communicate(timeout=30)
    assert follower.returncode != 0
    assert shop.ssh.run("apps:list").stdout


def _request_at_work(paas: Instance) -> int:
    """Return the pid of the one child of the daemon that works on a request."""
    daemon = int((paas.root / "run" / "paas.pid").read_text().split()[0])
    children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
    names = {int(child): Path(f"/proc/{child}/comm").read_text().strip() for child in children}
    [found] = [child for child, name in names.items() if name == "paas-request"]
    return found


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Mount a file system of 64 MB where the doors' user can reach it."""
    small = Path(tempfile.mkdtemp(prefix="paas-small-", dir="/var/tmp"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m,mode=755", "tmpfs", str(small)]
    subprocess.run(mount, check=True, timeout=10)
    yield small
    subprocess.run(["umount", str(small)], check=True, timeout=10)
    small.rmdir()


def test_a_nearly_full_disk_refuses_pushes_and_the_app_serves_on(small_disk: Path) -> None:
    with running(small_disk) as paas:
        git = paas.app("shop")
        write_version(git, "before")
        git.push()
        (small_disk / "filler").write_bytes(bytes(56 << 20))
        write_version(git, "after")
        done = git.push(check=False)
        assert done.returncode != 0
        assert "disk is nearly full" in done.stderr
        assert answers(paas) == "before"
        (small_disk / "filler").unlink()
        git.push()
        assert answers(paas) == "after"


def test_apps_serve_while_paas_is_stopped_and_killed(paas: Instance, shop: Git) -> None:
    before = answers(paas)
    daemon = int((paas.root / "run" / "paas.pid").read_text().split()[0])
    os.kill(daemon, signal.SIGKILL)
    assert answers(paas) == before
    until(lambda: not Path(f"/proc/{daemon}").exists() or _is_zombie(daemon), "the daemon is gone")
    paas.paas("start")
    assert shop.ssh.run("apps:list").returncode == 0


def _is_zombie(pid: int) -> bool:
    return ") Z" in Path(f"/proc/{pid}/stat").read_text()
