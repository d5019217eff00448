"""The build wall's cgroup: one memory and process limit for all steps of all builds.

BuildKit has no limit per step. With the cgroupfs driver its steps run below `docker/buildkit`
(executor/oci in moby/buildkit), on cgroup v1 and v2, so the limits stand there. Kernel pages:
admin-guide/cgroup-v1/memory, admin-guide/cgroup-v2.
"""

from pathlib import Path

from paas.model import Finding
from paas.settings import Settings

ROOT = Path("/sys/fs/cgroup")
GROUP = "docker/buildkit"
PIDS = 1024  # per build; node and compilers start a thread per core and more


def check_limits(settings: Settings, driver: str) -> Finding:
    """Return the line of `doctor` for an engine with this cgroup driver.

    With the systemd driver each step gets a group of its own beside the engine's
    (`system.slice:docker:<id>`), with no parent that could be limited.
    """
    if driver != "systemd":
        return limit_builds(settings)
    return Finding(
        "build limits",
        "warn",
        "Builds have no memory and process limit: the engine's cgroup driver is systemd",
        'To have one: "exec-opts": ["native.cgroupdriver=cgroupfs"] in /etc/docker/daemon.json',
    )


def limit_builds(settings: Settings, root: Path = ROOT) -> Finding:
    """Set the limits; return the line of `doctor`. Never raises: a build without them is possible.

    Memory is `build_memory` for each of the `max_builds` that may run at once.
    """
    memory = settings.build_memory * settings.max_builds
    try:
        if (root / "cgroup.controllers").exists():
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
    return Finding("build limits", "ok", f"Builds share {memory // 2**20} MB")


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


def _write(file: Path, value: int) -> None:
    """Write only a change: a write takes the kernel's time even if it changes nothing."""
    if file.read_text().strip() != str(value):
        file.write_text(str(value))
