"""Clients and servers that die, at the moments that hurt."""

import os
import random
import shlex
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from paas.git.wire import Outlet, Progress
from tests.git import packs
from tests.git.conftest import ENVIRONMENT, Host, Work, run_git

CONTENT = random.Random(7).randbytes(600_000)
TREE = packs.tree(("100644", b"data", packs.identity("blob", CONTENT)))
COMMIT = packs.commit(packs.identity("tree", TREE))
NEW = packs.identity("commit", COMMIT)
REQUEST = packs.request(
    NEW, packs.pack(packs.whole(1, COMMIT), packs.whole(2, TREE), packs.whole(3, CONTENT))
)


def start_server(host: Host, stdout: int = subprocess.DEVNULL) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [*shlex.split(host.ssh), "paas", "git-receive-pack '/shop'"],
        stdin=subprocess.PIPE,
        stdout=stdout,
        env=ENVIRONMENT,
    )


def send(server: "subprocess.Popen[bytes]", data: bytes) -> None:
    assert server.stdin
    server.stdin.write(data)
    server.stdin.flush()


def wait_for_quarantine(host: Host) -> None:
    while not host.quarantines():
        time.sleep(0.01)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.9999])
def test_a_connection_cut_in_the_pack_changes_nothing(host: Host, share: float) -> None:
    status, text = host.talk(REQUEST[: int(len(REQUEST) * share)])
    assert status == 1
    assert b"Traceback" not in text
    assert (host.refs(), host.quarantines(), host.journal("deploy")) == ({}, [], [])
    assert host.talk(REQUEST)[0] == 0


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5])
def test_a_client_that_falls_silent_is_let_go(host: Host, share: float) -> None:
    host.plan["limits"] = {"silence": 0.3}
    with start_server(host) as server:
        send(server, REQUEST[: int(len(REQUEST) * share)])
        assert server.wait(30) == 1
    assert (host.refs(), host.quarantines(), host.journal("deploy")) == ({}, [], [])


def test_a_disk_that_is_full_in_the_pack_is_called_so(host: Host, tmp_path: Path) -> None:
    words = "fatal: write error: No space left on device"
    git = tmp_path / "git"
    git.write_text(f"#!/bin/sh\ncat > /dev/null\necho '{words}' >&2\nexit 128\n")
    git.chmod(0o755)
    host.plan["git"] = str(git)
    _, said = host.talk(REQUEST)
    assert b"The disk is full" in said


def test_a_server_killed_in_the_pack_leaves_what_sweep_removes(host: Host) -> None:
    with start_server(host) as server:
        send(server, REQUEST[: len(REQUEST) // 2])
        wait_for_quarantine(host)
        server.kill()
    assert len(host.quarantines()) == 1
    sweep_until_it_is_gone(host)
    assert (host.refs(), host.quarantines()) == ({}, [])
    assert host.talk(REQUEST)[0] == 0


def sweep_until_it_is_gone(host: Host) -> None:
    """Its git may still be at work for a moment: it learns of the end by that of its input."""
    deadline = time.monotonic() + 20
    while host.quarantines():
        assert time.monotonic() < deadline
        host.sweep()


@pytest.mark.parametrize("host", ["git"], indirect=True)
def test_a_quarantine_stays_while_its_git_is_at_work(host: Host) -> None:
    with start_server(host) as server:
        send(server, REQUEST[: len(REQUEST) // 2])
        wait_for_quarantine(host)
        git = wait_for_git(server.pid)
        os.kill(git, signal.SIGSTOP)
        server.kill()
        server.wait()
        host.sweep()
        assert len(host.quarantines()) == 1
        os.kill(git, signal.SIGCONT)
    sweep_until_it_is_gone(host)


def wait_for_git(server: int) -> int:
    """Return the pid of `git index-pack`."""
    deadline = time.monotonic() + 20
    while True:
        assert time.monotonic() < deadline
        for pid in Path(f"/proc/{server}/task/{server}/children").read_text().split():
            if "index-pack" in Path(f"/proc/{pid}/cmdline").read_text():
                return int(pid)


def test_that_the_pack_has_arrived_is_told_before_it_is_checked(host: Host) -> None:
    with start_server(host) as server:
        send(server, REQUEST[: len(REQUEST) // 2])
        wait_for_quarantine(host)
        assert host.journal("arrived") == []
        send(server, REQUEST[len(REQUEST) // 2 : -20] + bytes(20))  # a wrong checksum
        assert server.wait(60) == 1
    assert (len(host.journal("arrived")), host.journal("lock")) == (1, [])


def test_an_interrupt_in_the_pack_leaves_nothing_behind(host: Host) -> None:
    with start_server(host, subprocess.PIPE) as server:
        send(server, REQUEST[: len(REQUEST) // 2])
        wait_for_quarantine(host)
        server.send_signal(signal.SIGINT)
        assert server.stdout
        assert b"ng refs/heads/main the push was interrupted" in server.stdout.read()
    assert (host.refs(), host.quarantines(), host.journal("arrived")) == ({}, [], [])


def test_sweep_leaves_a_push_at_work_alone(host: Host) -> None:
    with start_server(host) as server:
        send(server, REQUEST[: len(REQUEST) // 2])
        wait_for_quarantine(host)
        host.sweep()
        send(server, REQUEST[len(REQUEST) // 2 :])
        assert server.wait(60) == 0
    assert host.refs()["refs/heads/main"] == NEW


def test_a_silent_client_blocks_nobody(host: Host) -> None:
    with start_server(host) as silent:
        send(silent, REQUEST[: len(REQUEST) // 2])
        wait_for_quarantine(host)
        assert host.talk(REQUEST)[0] == 0
        silent.kill()


def test_a_client_that_vanishes_after_the_pack_changes_nothing(work: Work, tmp_path: Path) -> None:
    commit = work.commit()
    gate = tmp_path / "gate"
    work.host.plan["deploy"] = f"wait:{gate}"
    running = work.start_push("main")
    work.host.wait_for("waiting")
    running.process.kill()  # git only, not what it takes for ssh
    running.process.wait()
    gate.touch()
    work.host.wait_for("end")
    assert work.host.refs()["refs/heads/main"] == commit
    assert work.host.quarantines() == []


def test_a_deploy_killed_after_keep_can_be_finished(work: Work) -> None:
    commit = work.commit()
    work.host.plan["deploy"] = "kill after keep"
    work.push("main", status=None)
    work.host.sweep()
    assert work.host.refs() == {"refs/paas/deploys/12": commit}
    work.host.repos().set_branch(work.host.app, "main", commit)
    assert "error" not in run_git(work.host.repository, "fsck", "--full")
    assert work.host.repos().source(work.host.app, commit).has("app.py")


def test_a_clone_after_a_finished_deploy_checks_out_its_branch(work: Work) -> None:
    commit = work.commit()
    work.host.plan["deploy"] = "kill after keep"
    work.push("main:master", status=None)
    work.host.repos().set_branch(work.host.app, "master", commit)
    clone = work.host.clone(work.path.parent / "clone")
    assert run_git(clone, "rev-parse", "HEAD") == commit


def test_two_pushes_at_once_give_one_of_them(work: Work) -> None:
    work.commit()
    other = Work(work.path.parent / "second", work.host)
    run_git(work.path.parent, "clone", "-q", str(work.path), str(other.path))
    mine, theirs = work.commit("a.py", "a\n"), other.commit("b.py", "b\n")
    pushes = [work.start_push("main"), other.start_push("main")]
    statuses = sorted(push.finish()[0] for push in pushes)
    assert statuses == [0, 1]
    assert work.host.refs()["refs/heads/main"] in {mine, theirs}
    assert len(work.host.journal("deploy")) == 1


def test_a_lock_file_left_by_a_killed_writer_blocks_nobody(work: Work) -> None:
    work.commit()
    work.push("main")
    (work.host.repository / "refs" / "heads" / "main.lock").touch()
    (work.host.repository / "HEAD.lock").touch()
    newest = work.commit("b.py", "b\n")
    work.push("main")
    assert work.host.refs()["refs/heads/main"] == newest


def test_progress_never_raises_when_the_client_is_gone() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as stdout:
        outlet = Outlet(stdout)
        progress = Progress(outlet)
        progress.enabled = True
        os.close(reader)
        progress.write("line\n")
        progress.keepalive()
        assert outlet.gone
        with pytest.raises(BrokenPipeError):
            outlet.write(b"report")


def test_a_client_that_does_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paas.git.wire.PATIENCE", 0.05)
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as stdout, os.fdopen(reader, "rb"):
        progress = Progress(Outlet(stdout))
        progress.enabled = True
        progress.write("x" * 200_000)
        progress.write("not sent any more\n")


def test_packets_of_two_threads_stay_whole() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as stdout:
        progress = Progress(Outlet(stdout))
        progress.enabled = True
        taken: list[bytes] = []
        read = threading.Thread(target=lambda: taken.append(read_all(reader)))
        read.start()
        beat = threading.Thread(target=beat_often, args=(progress,))
        beat.start()
        for _ in range(200):
            progress.write("y" * 5000 + "\n")
        beat.join()
    read.join()
    assert packets(taken[0]) == [1] * 2000 + [5002] * 200


def beat_often(progress: Progress) -> None:
    for _ in range(2000):
        progress.keepalive()


def read_all(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def packets(data: bytes) -> list[int]:
    """Return the payload sizes, sorted; raise if a packet does not begin where one should."""
    sizes = []
    while data:
        size = int(data[:4], 16)
        assert data[4] == 2
        sizes.append(size - 4)
        data = data[size:]
    return sorted(sizes)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_server_leaves_no_index_pack_behind(host: Host, how: signal.Signals) -> None:
    with start_server(host) as server:
        send(server, REQUEST[: len(REQUEST) // 2])
        wait_for_quarantine(host)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
        while host.plan["git"] and not children.read_text():
            time.sleep(0.01)
        child = children.read_text().split()
        server.send_signal(how)
    while any(is_running(pid) for pid in child):  # it meets the end of its input
        time.sleep(0.01)


def is_running(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_keepalives_are_sent_while_a_push_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paas.git.wire.KEEPALIVE", 0.01)
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as stdout, os.fdopen(reader, "rb") as taken:
        progress = Progress(Outlet(stdout))
        progress.enabled = True
        with progress.alive():
            assert taken.read(10) == b"0005\x020005\x02"
