"""A disk without room, found full at the start, in the pack or at its end; and other bad luck."""

import errno
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from paas.errors import DiskFull
from paas.git.base import NoWait, Push, Sideband
from paas.git.intake import Intake
from paas.git.limits import MB, Limits
from paas.git.packs import PackTaker
from paas.git.quarantine import Quarantine
from paas.git.receive import Answer, Command
from paas.git.repos import DulwichRepos
from paas.git.store import ensure_repository
from paas.git.wire import Outlet, Progress
from paas.settings import Settings
from paas.source import NewFile
from tests.git import packs
from tests.git.conftest import Host, Work
from tests.git.test_offer import APP, NOTE
from tests.git.test_vanishing import NEW, REQUEST

NEW_BRANCH = Command(None, NEW, b"refs/heads/main")


class NobodyCalled:
    """A PushHandler of a push that does not get so far."""

    def arrived(self) -> None:
        raise AssertionError

    def lock(
        self, sideband: Sideband, no_wait: NoWait | None = None
    ) -> AbstractContextManager[None]:
        raise AssertionError

    def deploy_branch(self) -> str | None:
        raise AssertionError

    def deploy(self, push: Push, sideband: Sideband) -> None:
        raise AssertionError


def run_without_quarantine(error: BaseException, where: Path) -> tuple[Answer, str]:
    """Run a push whose quarantine cannot be opened; return the answer, and what was shown."""

    @contextmanager
    def opening() -> Iterator[Quarantine]:
        raise error
        yield

    told: list[Answer] = []
    answer = Answer((NEW_BRANCH,), told.append)
    output = where / "output"
    with output.open("wb") as stdout:
        progress = Progress(Outlet(stdout))
        progress.enabled = True
        taker = PackTaker(Limits(), None, lambda: None)
        handler = NobodyCalled()
        Intake(where, handler, progress, taker).run(answer, opening(), lambda _: b"", ())
    return answer, output.read_text()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_disk_without_room_for_a_quarantine_is_called_full(tmp_path: Path, number: int) -> None:
    answer, shown = run_without_quarantine(OSError(number, os.strerror(number)), tmp_path)
    assert "The disk is full" in shown
    assert "Free some space" in shown
    assert (answer.unpack, answer.refs) == ("The disk is full", {b"refs/heads/main": answer.unpack})


def test_what_was_not_judged_is_not_answered_with_ok(host: Host) -> None:
    assert host.talk(REQUEST[:4])[0] == 1  # makes the repository
    (host.repository / "quarantine").rmdir()
    (host.repository / "quarantine").touch()  # nothing can be made below it
    status, text = host.talk(REQUEST)
    assert status == 1
    assert b"unpack internal error" in text
    assert b"ng refs/heads/main internal error, see the log of the host" in text
    assert b"ok" not in text.partition(b"unpack")[2]


def test_an_answer_that_is_sent_too_early_refuses_all() -> None:
    answer = Answer((NEW_BRANCH,), lambda _: None)
    assert answer.unpack
    assert answer.good == ()


def test_a_quarantine_that_cannot_be_furnished_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "7.git"
    ensure_repository(repository)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OSError, match="full"):
        Quarantine(repository)
    assert list((repository / "quarantine").iterdir()) == []


def test_git_s_words_are_not_written_to_the_disk_that_is_full(host: Host, tmp_path: Path) -> None:
    git, where = tmp_path / "git", tmp_path / "where"
    words = "fatal: write error: No space left on device"
    lines = ["cat > /dev/null", f"readlink /proc/$$/fd/2 > {where}", f"echo '{words}' >&2"]
    git.write_text("\n".join(["#!/bin/sh", *lines, "exit 128", ""]))
    git.chmod(0o755)
    host.plan["git"] = str(git)
    _, said = host.talk(REQUEST)
    assert b"The disk is full" in said
    assert str(tmp_path) not in where.read_text()


@pytest.fixture(params=["git", "dulwich"], name="git")
def git_or_not(request: pytest.FixtureRequest) -> str | None:
    return shutil.which("git") if request.param == "git" else None


class Shrinking:
    """Room that is gone after so many looks."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise DiskFull("The disk is nearly full")


def take(room: Shrinking, git: str | None, repository: Path) -> None:
    """Take a pack of 2.5 MB."""
    ensure_repository(repository)
    content = random.Random(5).randbytes(5 * MB // 2)
    data = memoryview(packs.pack(packs.whole(3, content)))
    place = 0

    def receive(size: int) -> bytes:
        nonlocal place
        place += size
        return bytes(data[place - size : place])

    with closing(Quarantine(repository)) as quarantine:
        PackTaker(Limits(), git, room).take(receive, quarantine)


@pytest.fixture
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the disk every megabyte."""
    monkeypatch.setattr("paas.git.scan.LOOK", MB)


@pytest.mark.usefixtures("_often")
@pytest.mark.parametrize("looks", range(4))
def test_a_disk_that_fills_while_a_pack_comes_ends_the_push(
    git: str | None, looks: int, tmp_path: Path
) -> None:
    with pytest.raises(DiskFull):
        take(Shrinking(looks), git, tmp_path / "7.git")
    assert list((tmp_path / "7.git" / "quarantine").iterdir()) == []


@pytest.mark.usefixtures("_often")
def test_a_pack_looks_at_the_disk_all_the_time_before_its_check_and_after_it(
    git: str | None, tmp_path: Path
) -> None:
    room = Shrinking(100)
    take(room, git, tmp_path / "7.git")
    assert 100 - room.left == 4


def test_half_of_what_a_push_must_find_is_left_to_the_neighbours(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [100, 40]
    usage = shutil._ntuple_diskusage  # what disk_usage() returns
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1000, 0, free.pop(0)))
    repos = DulwichRepos(Settings(root=tmp_path, disk_reserve=100), git=work.host.plan["git"])
    with (
        pytest.raises(DiskFull, match="nearly full"),
        repos.offer(APP, "main", (NewFile("a.txt", 0o100644, b"a"),), NOTE),
    ):
        pass
    assert free == []
