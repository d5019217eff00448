"""Named volumes: each is a file that holds an ext4 file system, mounted by its loop device.

Its size is the quota: the kernel refuses what does not fit, on every host's file system, without
project quotas. The file's blocks are reserved when it is made, so that the host's disk can never
run out under a mounted volume. They are mounted at boot (paas.setup.restore), before containers
start, and again before each start of a process. The app's files are in `data` below the mount: it
is missing where nothing is mounted, and then the engine starts nothing.
"""

import errno
import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paas.disk import space
from paas.errors import Conflict, DiskFull, StartFailed, Unavailable
from paas.schedulers.engine import Engine
from paas.schedulers.user_map import UserMap
from paas.settings import MB, Settings

SECONDS = 120
DATA = "data"


def folder(settings: Settings) -> Path:
    """Return where volumes are: `<name>.img` and the mount `<name>`."""
    return settings.root / "volumes"


def data_folder(settings: Settings, name: str) -> Path:
    """Return what containers see of a volume."""
    return folder(settings) / name / DATA


def make(settings: Settings, name: str, size: int) -> None:
    """Make and mount a volume; nothing is left of one that fails.

    Raises Conflict if it is there, DiskFull, Unavailable.
    """
    top = folder(settings)
    top.mkdir(mode=0o711, exist_ok=True)
    if _image(settings, name).exists():
        raise Conflict(f"There is a volume {name} already", hint="Choose another name.")
    free, needed = space(top, settings.disk_reserve)
    if free - size < needed:
        raise DiskFull(
            f"{size // MB} MB do not fit: {free // MB} MB are free, {needed // MB} MB must stay",
            hint="Make it smaller, or free some space.",
        )
    fresh, image = top / f".{name}.new", _image(settings, name)
    try:
        with open(fresh, "wb") as file:  # noqa: PTH123 - fallocate wants a descriptor
            os.posix_fallocate(file.fileno(), 0, size)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "nodiscard,root_owner=0:0", str(fresh))
        fresh.rename(image)
        attach(settings, name)
        (folder(settings) / name / DATA).mkdir(mode=0o700)
    except OSError as error:
        remove(settings, name)
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise DiskFull("The disk is full", hint="Make it smaller, or free some space.") from error
    except BaseException:
        remove(settings, name)
        raise
    finally:
        fresh.unlink(missing_ok=True)


def attach(settings: Settings, name: str) -> None:
    """Mount a volume unless it is mounted. Raises StartFailed if it is not there, Unavailable."""
    place = folder(settings) / name
    if not _image(settings, name).exists():  # as after a backup:import; to try again helps nobody
        raise StartFailed(
            f"The volume {name} is not on this host",
            hint=f"Put its file back, or make it anew, empty: storage:create {name}",
        )
    place.mkdir(mode=0o711, exist_ok=True)
    with _alone(settings):
        if not place.is_mount():
            options = "loop,nosuid,nodev,noatime"
            _run("mount", "-t", "ext4", "-o", options, str(_image(settings, name)), str(place))
            place.chmod(0o711)


def attach_all(settings: Settings) -> list[str]:
    """Mount all volumes that there are; return the names of those that could not be."""
    failed = []
    for image in sorted(folder(settings).glob("[a-z]*.img")):
        try:
            attach(settings, image.stem)
        except (StartFailed, Unavailable):
            failed.append(image.stem)
    return failed


def give(settings: Settings, name: str, uid: int, users: UserMap) -> None:
    """Make all files of a volume this user's of containers; links are not followed."""
    attach(settings, name)
    data = data_folder(settings, name)
    owner = (users.uid + uid, users.gid + uid)
    for _, directories, files, folder_fd in os.fwalk(data):  # by descriptors: links lead nowhere
        for each in (*directories, *files):
            os.chown(each, *owner, dir_fd=folder_fd, follow_symlinks=False)
    os.chown(data, *owner, follow_symlinks=False)


def used(settings: Settings, name: str) -> tuple[int, int]:
    """Return (bytes used, bytes usable) of a volume; zeros when it is not mounted."""
    place = folder(settings) / name
    if not place.is_mount():
        return 0, 0
    usage = shutil.disk_usage(place)
    return usage.used, usage.used + usage.free


def refuse_used(engine: Engine, settings: Settings, name: str) -> None:
    """Raise Conflict while a container sees the volume: unmounting it here would not end that."""
    source = str(data_folder(settings, name))
    with engine.answering():
        label = f"paas.instance={settings.instance}"
        found = engine.api.containers(all=True, filters={"label": label})
    if any(mount["Source"] == source for each in found for mount in each["Mounts"]):
        raise Conflict(f"A process still sees the volume {name}", hint="Stop it; then try again.")


def remove(settings: Settings, name: str) -> None:
    """Unmount a volume and delete it with all its files. Raises Conflict while it is in use."""
    place = folder(settings) / name
    with _alone(settings):
        if place.is_mount():
            try:
                _run("umount", str(place))
            except Unavailable as error:
                raise Conflict(
                    f"The volume {name} is still in use", hint="Stop what uses it; try again."
                ) from error
        if place.is_dir():
            place.rmdir()
        _image(settings, name).unlink(missing_ok=True)


def _image(settings: Settings, name: str) -> Path:
    return folder(settings) / f"{name}.img"


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Let one process mount at a time: two mounts would lie over each other."""
    with open(folder(settings) / ".lock", "ab") as file:  # noqa: PTH123 - flock wants a descriptor
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(*command: str) -> None:
    try:
        done = subprocess.run(
            command,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise Unavailable(
            f"{command[0]} did not work: {error}", hint="apt install e2fsprogs mount"
        ) from error
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())[:300]
        raise Unavailable(
            f"{command[0]} failed: {said}", hint="Volumes need loop devices: modprobe loop"
        )
