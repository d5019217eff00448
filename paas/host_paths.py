"""Folders of the host in an app's processes: only below what the host's owner has opened for it.

The way to such a folder must be root's alone: the engine follows it once more when a process
starts, and whoever could put a link there would choose what of the host is mounted.
"""

import stat
from dataclasses import replace
from pathlib import Path

from paas.errors import Conflict, Forbidden, StartFailed, UsageError
from paas.model import App, process_type
from paas.platform import Platform
from paas.settings import Settings
from paas.volume import HostMount

TOPIC = "host-paths"
MOST = 8  # of an app
WRITABLE = stat.S_IWGRP | stat.S_IWOTH
# What the host lives on. The engine's own folder holds the files of all apps.
SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin")
ENGINE = ("/var/lib/containerd", "/var/lib/docker")
OTHERS = ("/sys", "/usr", "/var/run", "/var/spool")


def check(settings: Settings, path: str) -> str:
    """Return the folder that `path` leads to. Raises Forbidden, UsageError.

    It has to be one of `storage_paths`, or below, and neither hold nor be part of the system's
    folders or paas's own.
    """
    real = _real(path)
    roots = [Path(root).resolve() for root in settings.storage_paths.split(":") if root]
    above = next((root for root in roots if real.is_relative_to(root)), None)
    if above is None:
        raise Forbidden(
            f"{path} is not below a folder that is opened for apps",
            hint='The host\'s owner opens one: storage_paths = "/srv/data" in paas.toml',
        )
    for kept in (*map(Path, (*SYSTEM, *ENGINE, *OTHERS)), settings.root.resolve()):
        if real.is_relative_to(kept) or kept.is_relative_to(real):
            raise Forbidden(f"{path} leads to {kept}, which no app may see")
    for each in (real, *real.parents[:-1]):
        if not _is_roots(each):
            raise Forbidden(
                f"Others than root may put something else at {each}",
                hint=f"Run: chown root:root {each.parent}; chmod 755 {each.parent}",
            )
    return str(real)


def mount(platform: Platform, app: App, wanted: HostMount) -> None:
    """Let an app's processes see a folder from their next start on. Raises as check(), Conflict."""
    if wanted.process_type:
        process_type(wanted.process_type)
    check(platform.settings, wanted.path)
    taken = {each.directory for each in mounts(platform, app)}
    taken |= {each.directory for each in platform.store.storage.mounts(app=app.id)}
    if wanted.directory in taken:
        raise Conflict(
            f"Something is mounted at {wanted.directory} already", hint="See: storage:list APP"
        )
    if len(mounts(platform, app)) >= MOST:
        raise Conflict(f"{app.name} has {MOST} folders already", hint=f"storage:list {app.name}")
    platform.store.properties.set(app.id, TOPIC, wanted.directory, wanted.text)


def unmount(platform: Platform, app: App, path: str, directory: str | None) -> int:
    """Forget an app's mounts of a folder, at one place or at all; return how many."""
    found = [
        each
        for each in mounts(platform, app)
        if each.path == path and directory in {None, each.directory}
    ]
    for each in found:
        platform.store.properties.set(app.id, TOPIC, each.directory, None)
    return len(found)


def mounts(platform: Platform, app: App) -> tuple[HostMount, ...]:
    """Return what of the host the app's processes see."""
    stored = platform.store.properties.get(app.id, TOPIC)
    return tuple(HostMount.parse(app.id, place, text) for place, text in stored.items())


def of_process(platform: Platform, app: App, name: str) -> tuple[HostMount, ...]:
    """Return what processes of this type see, where each path leads to now. Raises StartFailed."""
    wanted = [each for each in mounts(platform, app) if each.process_type in {"", name}]
    try:
        return tuple(replace(each, path=check(platform.settings, each.path)) for each in wanted)
    except (Forbidden, UsageError) as error:
        hint = error.hint or f"See: storage:list {app.name}"
        raise StartFailed(error.message, hint=hint) from error


def _is_roots(path: Path) -> bool:
    """Whether only root can put something else in a path's place; a sticky folder guards it too."""
    folder = path.parent.stat()
    is_guarded = folder.st_mode & stat.S_ISVTX and path.stat().st_uid == 0
    return folder.st_uid == 0 and (not folder.st_mode & WRITABLE or bool(is_guarded))


def _real(path: str) -> Path:
    try:
        real = Path(path).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise UsageError(f"{path} is not on this host") from error
    if not path.startswith("/") or not real.is_dir():
        raise UsageError(f"{path} is not a folder", hint="Give /FOLDER:/PLACE")
    return real
