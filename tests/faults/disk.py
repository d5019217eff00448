"""A disk that is full at the worst moments: in the pack, in the commit, in a vhost, in a log."""

import contextlib
import errno
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.parts import stopped_at
from tests.faults.tally import Tally
from tests.faults.world import World, build_world, last_words

SIZE = "96M"
PACK = 8 << 20  # bytes of a file that no compression makes smaller
STEP = 64 << 10


@contextlib.contextmanager
def build_on_small_disk(seed: int) -> Iterator[World]:
    """Set up a world all of whose data is on a small file system; the disk rule is off."""
    with small_disk() as small, build_world(seed, small, disk_reserve="0") as world:
        yield world


def disk_full(world: World, *, quick: bool) -> Tally:
    """Fill the small file system that holds all of paas's data, and free it afterwards."""
    tally, small = Tally("disk full (a small file system as data root)"), world.instance.root.parent
    with tally.attempt("in receive"):
        _in_receive(world, tally, small)
    lines = ("before build", "before keep", "before commit", "after commit")
    for line in lines[2:3] if quick else lines:
        with tally.attempt(line):
            _in_deploy(world, tally, small, line)
    with tally.attempt("in the write of a vhost"):
        _in_vhost(world, tally, small)
    return tally


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """Mount a small ext4 in a file; a tmpfs where there are no loop devices."""
    folder = Path(tempfile.mkdtemp(prefix="paas-small-", dir="/var/tmp"))
    image = folder.with_suffix(".img")
    if not _mount_loop(image, folder):
        argv = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "tmpfs", str(folder)]
        subprocess.run(argv, check=True, timeout=10)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True, timeout=30)
        folder.rmdir()
        image.unlink(missing_ok=True)


def _mount_loop(image: Path, folder: Path) -> bool:
    for argv in (
        ["truncate", "-s", SIZE, str(image)],
        ["mkfs.ext4", "-q", "-m", "0", str(image)],
        ["mount", "-o", "loop", str(image), str(folder)],
    ):
        if subprocess.run(argv, capture_output=True, check=False, timeout=30).returncode:
            image.unlink(missing_ok=True)
            return False
    folder.chmod(0o755)
    (folder / "lost+found").rmdir()
    return True


@contextlib.contextmanager
def full(small: Path, leave: int = 0) -> Iterator[None]:
    """Fill the file system but for some bytes; see that it is full; free it at the end."""
    filler = small / "filler"
    with filler.open("wb", buffering=0) as file:
        size = STEP
        while size:
            try:
                file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2
        os.fsync(file.fileno())
        if leave:
            file.truncate(filler.stat().st_size - leave)
    try:
        assert os.statvfs(small).f_bavail * os.statvfs(small).f_frsize <= leave + STEP
        yield
    finally:
        filler.unlink()


def _in_receive(world: World, tally: Tally, small: Path) -> None:
    before = world.answer()
    (world.git.tree / "large.bin").write_bytes(os.urandom(PACK))
    world.commit()
    with full(small, leave=PACK // 2):
        done = world.git.push(check=False)
        assert done.returncode, "a pack of 8 MB fits into 4 MB"
        assert "The disk is full" in done.stderr, last_words(done.stderr)
        tally.hit()
        assert world.answer() == before
    _mend(world, tally, (before,))
    (world.git.tree / "large.bin").unlink()


def _in_deploy(world: World, tally: Tally, small: Path, line: str) -> None:
    before, version = world.answer(), world.commit()
    world.trap.set(line, signal.SIGSTOP)
    client = world.push()
    with contextlib.ExitStack() as stack:
        with stopped_at(world.trap, line):
            stack.enter_context(full(small))  # and it stays full when the deploy goes on
        tally.hit()
        said = client.communicate(timeout=120)[1]
        assert "Traceback" not in said, last_words(said)
        assert client.returncode == 0 or "full" in said or "No space" in said, last_words(said)
        assert world.answer() in {before, version}
    _mend(world, tally, (before, version))


def _in_vhost(world: World, tally: Tally, small: Path) -> None:
    before, host = world.answer(), f"extra-{world.instance.id}.localhost"
    vhost = world.platform.settings.nginx / "sites" / "shop.conf"
    text = vhost.read_text()
    with full(small):
        done = world.instance.paas("domains:add", "shop", host, check=False)
        assert done.returncode, "a domain was added on a full disk"
        tally.hit()
        assert "Traceback" not in done.stderr, done.stderr
        assert vhost.read_text() == text
        assert world.answer() == before
    _mend(world, tally, (before,))
    world.instance.paas("domains:add", "shop", host)
    world.instance.paas("domains:remove", "shop", host)


def _mend(world: World, tally: Tally, either: tuple[str, ...]) -> None:
    start = time.monotonic()
    world.await_whole()
    tally.seconds.append(time.monotonic() - start)
    assert world.answer() in either
    world.prove_next_push()
