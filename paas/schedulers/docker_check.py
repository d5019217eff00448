"""The engine's part of `paas doctor`: versions with known holes, and walls the host lacks."""

import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paas.errors import EngineUnavailable
from paas.model import Finding
from paas.schedulers.engine import Engine
from paas.schedulers.user_map import NEEDED, user_map
from paas.settings import Settings

Version = tuple[int, ...]
ENGINE_FLOOR: Version = (20, 10)
ENGINE_PREFERRED: Version = (28,)
# CVE-2025-31133, -52565, -52881 (escapes through masked paths) are fixed in 1.2.8 and 1.3.3.
RUNC_FIXED: tuple[Version, Version] = ((1, 2, 8), (1, 3, 3))
RUNC_LINE: Version = (1, 3)


def findings(engine: Engine, settings: Settings) -> tuple[Finding, ...]:
    """Return one Finding per check; only "engine" when it does not answer."""
    try:
        with engine.answering():
            info, version = engine.api.info(), engine.api.version()
    except EngineUnavailable as error:
        return (Finding("engine", "fail", error.message, error.hint),)
    return tuple(_findings(info, version, settings))


def _findings(
    info: Mapping[str, Any], version: Mapping[str, Any], settings: Settings
) -> Iterator[Finding]:
    yield _engine_version(str(version["Version"]))
    yield _runc_version(version)
    yield from _security_options(info.get("SecurityOptions") or [])
    yield _user_namespaces(info)
    yield _cgroups(info)
    yield _live_restore(info)
    yield _storage(info)
    parts = urlsplit(settings.engine)
    if parts.scheme == "unix":
        yield _socket(Path(parts.path))
    else:
        yield Finding(
            "engine socket",
            "warn",
            f"the engine is reached at {settings.engine}: whoever reaches it is root",
            "Use unix:///var/run/docker.sock",
        )


def _engine_version(text: str) -> Finding:
    number = parse_version(text)
    if number < ENGINE_FLOOR:
        return Finding(
            "engine", "fail", f"Docker Engine {text} is too old", "Install 20.10 or newer"
        )
    if number < ENGINE_PREFERRED:
        return Finding(
            "engine",
            "warn",
            f"Docker Engine {text} works; its own network isolation is weaker than that of 28",
            "Install Docker Engine 28 or newer when you can",
        )
    return Finding("engine", "ok", f"Docker Engine {text}")


def _runc_version(version: Mapping[str, Any]) -> Finding:
    parts = {c["Name"]: str(c["Version"]) for c in version.get("Components") or []}
    text = parts.get("runc", "")
    number = parse_version(text)
    if not number:
        return Finding("runc", "warn", "the version of runc is not known", "Run: runc --version")
    old_line, new_line = RUNC_FIXED
    if number < old_line or RUNC_LINE <= number < new_line:
        return Finding(
            "runc",
            "warn",
            f"runc {text} may lack the fixes of CVE-2025-31133, -52565 and -52881",
            "Install runc 1.2.8, 1.3.3 or newer, or see your distribution's changelog",
        )
    return Finding("runc", "ok", f"runc {text}")


def _security_options(options: list[str]) -> Iterator[Finding]:
    names = {field for o in options for field in o.split(",") if field.startswith("name=")}
    if "name=seccomp" in names:
        yield Finding("seccomp", "ok", "system calls are filtered by our own profile")
    else:
        yield Finding(
            "seccomp", "fail", "the engine cannot filter system calls", "Use a kernel with seccomp"
        )
    modules = sorted(n.removeprefix("name=") for n in names & {"name=apparmor", "name=selinux"})
    if modules:
        yield Finding("security module", "ok", f"{' and '.join(modules)} confines containers")
    else:
        yield Finding(
            "security module",
            "warn",
            "neither AppArmor nor SELinux confines containers",
            "Debian and Ubuntu: apt install apparmor, then restart the host",
        )


def _user_namespaces(info: Mapping[str, Any]) -> Finding:
    names = {field for o in info.get("SecurityOptions") or [] for field in o.split(",")}
    if not names & {"name=userns", "name=rootless"}:
        return Finding(
            "user namespaces",
            "warn",
            "root in a build step is root on the host, if it escapes",
            "On a fresh host userns-remap helps, with a wide range: docs/security.md says how",
        )
    users = user_map(info)
    if "name=userns" in names and not users.uid:
        return Finding(
            "user namespaces",
            "warn",
            "the engine maps users, and does not tell which",
            "Files of volumes may belong to none of an app's users: docs/security.md",
        )
    if not users.is_wide_enough:
        return Finding(
            "user namespaces",
            "fail",
            f"userns-remap maps fewer than {NEEDED} users: apps cannot be started",
            "Make the range in /etc/subuid and /etc/subgid wider: docs/security.md says how",
        )
    return Finding("user namespaces", "ok", "root in a build is not root on the host")


def _cgroups(info: Mapping[str, Any]) -> Finding:
    lacks = [name for name in ("MemoryLimit", "PidsLimit", "CPUShares") if not info.get(name)]
    number = str(info.get("CgroupVersion") or "1")
    if lacks:
        return Finding(
            "cgroups", "fail", f"the kernel does not limit: {', '.join(lacks)}",
            "Boot with cgroup_enable=memory swapaccount=1",
        )  # fmt: skip
    if number == "1":
        return Finding(
            "cgroups", "warn", "cgroup version 1: works, but is on its way out",
            "Boot with systemd.unified_cgroup_hierarchy=1",
        )  # fmt: skip
    return Finding("cgroups", "ok", f"cgroup version {number}")


def _live_restore(info: Mapping[str, Any]) -> Finding:
    if info.get("LiveRestoreEnabled"):
        return Finding("live-restore", "ok", "apps keep running while the engine restarts")
    return Finding(
        "live-restore",
        "warn",
        "apps restart when the engine restarts",
        'Set "live-restore": true in /etc/docker/daemon.json',
    )


def _storage(info: Mapping[str, Any]) -> Finding:
    driver = str(info.get("Driver") or "none")
    if driver in {"overlay2", "overlayfs", "btrfs", "zfs"}:
        return Finding("storage driver", "ok", driver)
    return Finding(
        "storage driver",
        "warn",
        f"{driver} copies whole images: starts are slow and disks fill",
        "Use overlay2 (the default on ext4 and xfs)",
    )


def _socket(path: Path) -> Finding:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return Finding("engine socket", "fail", f"{path}: {error.strerror}", "Start Docker Engine")
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        return Finding(
            "engine socket", "fail", f"{path} is open to every user: each is root",
            f"Run: chmod 0660 {path}",
        )  # fmt: skip
    return Finding("engine socket", "ok", f"{path}, mode {mode:04o}")


def parse_version(text: str) -> Version:
    """Return the leading numbers: "1.1.5+ds1" is (1, 1, 5); () when there are none."""
    found = re.match(r"v?(\d+(?:\.\d+)*)", text)
    return tuple(int(n) for n in found[1].split(".")) if found else ()
