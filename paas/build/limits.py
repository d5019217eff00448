"""The build wall's cgroups: memory and process limits for the steps of builds.

BuildKit has no limit per step. With the cgroupfs driver its steps run below `docker/buildkit`
(executor/oci in moby/buildkit), on cgroup v1 and v2, so one limit for all stands there.

With the systemd driver runc, which BuildKit does not tell of systemd, takes the step's
`system.slice:docker:<id>` for a folder, and on cgroup v2 makes it beside the engine's own group
(fs2/defaultpath.go in opencontainers/runc). What lies there already is not ours to limit, so each
step gets its limits when it appears; what it took before counts, and the kernel ends it if that is
too much. Kernel pages: admin-guide/cgroup-v1/memory, admin-guide/cgroup-v2.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paas.alongside import alongside
from paas.model import Finding
from paas.settings import MB, Settings

ROOT = Path("/sys/fs/cgroup")
GROUP = "docker/buildkit"
ENGINE = "system.slice"  # where systemd keeps docker.service
STEPS = f"{ENGINE}/*:docker:*"
PIDS = 1024  # per build; node and compilers start a thread per core and more
LOOK = 0.05  # seconds until a new step is seen


def check_limits(settings: Settings, driver: str, root: Path = ROOT) -> Finding:
    """Return the line of `doctor` for an engine with this cgroup driver."""
    if driver != "systemd":
        return limit_builds(settings, root)
    if _has_steps(root):
        return Finding(
            "build limits", "ok", f"Each build step has {settings.build_memory // MB} MB"
        )
    return Finding(
        "build limits",
        "warn",
        "Builds have no memory and process limit: cgroup version 1 with the systemd driver",
        "Boot with systemd.unified_cgroup_hierarchy=1",
    )


@contextmanager
def limited(settings: Settings, root: Path = ROOT) -> Iterator[None]:
    """Hold the steps of all builds to the limits while the block runs. Never raises."""
    limit_builds(settings, root)
    if not _has_steps(root):
        yield
        return

    def watch(over: threading.Event) -> None:
        while not over.wait(LOOK):
            _limit_steps(settings, root)

    with alongside(watch):
        yield


def limit_builds(settings: Settings, root: Path = ROOT) -> Finding:
    """Set the limits; return the line of `doctor`. Never raises: a build without them is possible.

    Memory is `build_memory` for each of the `max_builds` that may run at once.
    """
    memory = settings.build_memory * settings.max_builds
    try:
        if _is_v2(root):
            _limit_v2(root, memory, PIDS * settings.max_builds)
        else:
            _limit_v1(root, memory, PIDS * settings.max_builds)
    except OSError as error:
        return Finding(
            "build limits",
            "warn",
            f"Builds have no memory and process limit: {error.strerror} ({error.filename})",
            "Run paas as root on the engine's own host, with cgroups mounted at /sys/fs/cgroup",
        )
    return Finding("build limits", "ok", f"Builds share {memory // MB} MB")


def _limit_v1(root: Path, memory: int, pids: int) -> None:
    group = root / "memory" / GROUP
    group.mkdir(parents=True, exist_ok=True)
    _write(group / "memory.limit_in_bytes", memory)
    group = root / "pids" / GROUP
    group.mkdir(parents=True, exist_ok=True)
    _write(group / "pids.max", pids)


def _limit_v2(root: Path, memory: int, pids: int) -> None:
    group = root / GROUP
    group.mkdir(parents=True, exist_ok=True)
    for parent in (root, group.parent):  # a group's files exist only if its parent hands them down
        (parent / "cgroup.subtree_control").write_text("+memory +pids")
    _write(group / "memory.max", memory)
    _write(group / "pids.max", pids)


def _limit_steps(settings: Settings, root: Path) -> None:
    for group in root.glob(STEPS):
        with suppress(OSError):  # the step has just ended
            _write(group / "memory.max", settings.build_memory)
            _write(group / "pids.max", PIDS)


def _has_steps(root: Path) -> bool:
    return _is_v2(root) and (root / ENGINE).is_dir()


def _is_v2(root: Path) -> bool:
    return (root / "cgroup.controllers").exists()


def _write(file: Path, value: int) -> None:
    """Write only a change: a write takes the kernel's time even if it changes nothing."""
    if file.read_text().strip() != str(value):
        file.write_text(str(value))
