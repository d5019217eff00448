"""`git repack` that fails, takes too long, or outlives whoever started it."""

import fcntl
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from paas.errors import DiskFull, Unavailable
from paas.git import repack, tidy
from paas.git.store import ensure_repository
from tests.git.conftest import CHECKOUT, Work

# Stands for git: notes that it was called, half writes a pack, and waits in a child, as git does.
SLOW = """#!/bin/sh
echo "$@" >> "$GIT_DIR/calls"
echo half > "$GIT_DIR/objects/pack/.tmp-1-pack-a.pack"
echo half > "$GIT_DIR/objects/pack/tmp_pack_b"
sleep 60 &
echo $! > "$GIT_DIR/child"
wait
"""


@pytest.fixture(name="repository")
def make_repository(tmp_path: Path) -> Path:
    repository = tmp_path / "7.git"
    ensure_repository(repository)
    return repository


@pytest.fixture(name="git")
def make_git(tmp_path: Path) -> str:
    git = tmp_path / "git"
    git.write_text(SLOW)
    git.chmod(0o755)
    return str(git)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repack, "SECONDS", 0.5)
    monkeypatch.setattr(tidy, "MANY", 0)


def calls(repository: Path) -> int:
    file = repository / "calls"
    return len(file.read_text().splitlines()) if file.exists() else 0


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def is_locked(repository: Path) -> bool:
    with (repository / "paas.lock").open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_for(file: Path) -> str:
    while not file.exists() or not file.read_text():
        time.sleep(0.01)
    return file.read_text()


def test_one_that_takes_too_long_leaves_no_process_and_no_file(repository: Path, git: str) -> None:
    with pytest.raises(Unavailable, match="git repack took too long"):
        tidy.collect(repository, git)
    child = int((repository / "child").read_text())
    while is_running(child):  # the kernel ends it when it comes to it
        time.sleep(0.01)
    assert list((repository / "objects" / "pack").iterdir()) == []
    assert not is_locked(repository)


def test_after_one_that_took_too_long_the_background_waits_for_hours(
    repository: Path, git: str
) -> None:
    with pytest.raises(Unavailable):
        tidy.tidy(repository, git)
    tidy.tidy(repository, git)
    assert calls(repository) == 1
    long_ago = time.time() - 7 * 3600
    os.utime(repository / "repack-gave-up", (long_ago, long_ago))
    with pytest.raises(Unavailable):
        tidy.tidy(repository, git)
    assert calls(repository) == 2


def test_whoever_types_it_need_not_wait_for_hours(work: Work, git: str) -> None:
    if not (real := work.host.plan["git"]):
        return
    work.commit()
    work.push("main")
    with pytest.raises(Unavailable):
        tidy.collect(work.host.repository, git)
    repack.SECONDS = 60  # the fixture puts it back
    tidy.collect(work.host.repository, real)
    assert not repack.is_resting(work.host.repository)


def test_one_whose_owner_was_killed_keeps_the_lock_as_long_as_it_writes(
    repository: Path, git: str
) -> None:
    code = "import sys; from pathlib import Path; from paas.git import tidy;"
    code += "tidy.collect(Path(sys.argv[1]), sys.argv[2])"
    command = [sys.executable, "-c", code, str(repository), git]
    with subprocess.Popen(command, cwd=CHECKOUT) as owner:
        child = int(wait_for(repository / "child"))
        owner.kill()
    assert is_locked(repository)
    os.killpg(os.getpgid(child), signal.SIGKILL)
    while is_locked(repository):
        time.sleep(0.01)


def test_files_that_one_left_behind_are_no_packs_and_go(
    repository: Path, git: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidy, "MANY", 2)
    folder = repository / "objects" / "pack"
    for name in (".tmp-1-pack-a.pack", ".tmp-1-pack-a.idx", "tmp_pack_b", "tmpc12.pack"):
        (folder / name).write_text("half")
    tidy.tidy(repository, git)
    assert calls(repository) == 0
    monkeypatch.setattr(tidy, "MANY", 0)
    tidy.tidy(repository, None)
    assert list(folder.iterdir()) == []


def test_without_room_for_a_copy_it_is_not_begun(
    repository: Path, git: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "objects" / "pack" / "pack-a.pack").write_bytes(bytes(1 << 20))
    usage = type("Usage", (), {"free": (2 << 20) - 1})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(DiskFull, match="takes 2 MB of free space"):
        tidy.collect(repository, git)
    assert calls(repository) == 0


def test_one_repository_in_trouble_is_logged_and_keeps_no_other_waiting(
    work: Work, git: str, caplog: pytest.LogCaptureFixture
) -> None:
    work.commit()
    work.push("main")
    others = [work.host.root / "repos" / f"{number}.git" for number in (1, 8)]
    for other in others:
        ensure_repository(other)
    work.host.plan["git"] = git
    with caplog.at_level(logging.WARNING):
        work.host.sweep()
    assert [calls(other) for other in others] == [1, 1]
    assert "8.git: git repack took too long" in caplog.text
