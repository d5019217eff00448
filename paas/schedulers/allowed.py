"""The validator: it refuses every container setting that is outside the hardened profile.

It repeats nothing of how profile.py builds the settings: it says which values may be, so that a
slip there, or a new caller, cannot open a wall (Kubernetes' "restricted" standard does the same).
"""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from paas.errors import InvalidName, StartFailed
from paas.schedulers.profile import (
    CA_PATH,
    KERNEL_PATHS,
    MAX_TMPFS,
    MAX_VOLUMES,
    NANO,
    seccomp_profile,
)
from paas.settings import MB, Settings
from paas.volume import NAME, HostMount, Mount

IMAGE = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
LOG_SIZE = re.compile(r"[1-9][0-9]?m|100m", re.ASCII)
USER = re.compile(r"([1-9][0-9]{0,9}):([1-9][0-9]{0,9})", re.ASCII)
HOSTNAME = re.compile(r"[a-z][a-z0-9-]{0,40}", re.ASCII)
TMPFS = re.compile(
    r"rw,nosuid,nodev,(?:no)?exec,size=[1-9][0-9]*,mode=1777,uid=[1-9][0-9]*,gid=[1-9][0-9]*",
    re.ASCII,
)
ALIAS = re.compile(r"[a-z0-9][a-z0-9-]*\.[a-z0-9_-]+(\.[0-9]+)?", re.ASCII)
LABELS = {f"paas.{name}" for name in ("instance", "app", "app-id", "process", "slot", "deploy")}
OWN_TMPFS = {"/tmp", "/var/tmp", "/run"}  # noqa: S108 - in the container
CORE = {"Name": "core", "Soft": 0, "Hard": 0}
MOST_FILES = 65536
Rule = Callable[[Any], bool]


def check_settings(config: Mapping[str, Any], settings: Settings) -> None:
    """Raise StartFailed if a setting is missing, unknown or outside the profile."""
    _check(config, _container_rules(settings), optional={"Entrypoint", "Cmd"})
    host = config["HostConfig"]
    _check(host, _host_rules(settings), prefix="HostConfig.")
    if host["ShmSize"] > host["Memory"]:
        raise _refusal("HostConfig.ShmSize")
    if host["MemorySwap"] != host["Memory"]:
        raise _refusal("HostConfig.MemorySwap")
    if host["MemoryReservation"] > host["Memory"]:
        raise _refusal("HostConfig.MemoryReservation")
    if set(config["NetworkingConfig"]["EndpointsConfig"]) != {host["NetworkMode"]}:
        raise _refusal("NetworkingConfig")


def check_endpoint(name: str, config: Mapping[str, Any], settings: Settings) -> None:
    """Raise StartFailed if a container's place on a shared network is outside the profile."""
    if not re.fullmatch(rf"{re.escape(settings.instance)}-net-[a-z0-9-]{{1,30}}", name, re.ASCII):
        raise _refusal("NetworkID")
    rules: dict[str, Rule] = {
        "Aliases": lambda names: all(map(_matches(ALIAS), names)),
        "IPAMConfig": lambda x: not x or _is_ours(x, settings),
    }
    _check(config, rules, prefix="EndpointConfig.", optional={"IPAMConfig"})


def _check(
    values: Mapping[str, Any],
    rules: Mapping[str, Rule],
    *,
    prefix: str = "",
    optional: set[str] | None = None,
) -> None:
    for name in rules.keys() - values.keys() - (optional or set()):
        raise _refusal(prefix + name)
    for name, value in values.items():
        if name not in rules or not rules[name](value):
            raise _refusal(prefix + name)


def _refusal(field: str) -> StartFailed:
    return StartFailed(
        f"The container setting {field} is outside the hardened profile",
        hint="This is a fault in paas itself; please report it",
    )


def _container_rules(settings: Settings) -> dict[str, Rule]:
    return {
        "Image": _matches(IMAGE),
        "Entrypoint": _is(["/bin/sh", "-c"]),
        "Cmd": lambda words: len(words) == 1 and isinstance(words[0], str),
        "User": _matches(USER),
        "Env": lambda lines: all(isinstance(x, str) and "\0" not in x for x in lines),
        "Labels": lambda x: set(x) == LABELS and x["paas.instance"] == settings.instance,
        "Hostname": _matches(HOSTNAME),
        "Healthcheck": _is({"Test": ["NONE"]}),
        "StopSignal": _is("SIGTERM"),
        "Tty": _is(False),
        "OpenStdin": _is(False),
        "HostConfig": lambda x: isinstance(x, dict),
        "NetworkingConfig": lambda x: _is_own_address(x, settings),
    }


def _host_rules(settings: Settings) -> dict[str, Rule]:
    network = re.compile(re.escape(settings.instance) + r"-[1-9][0-9]*", re.ASCII)
    return {
        "NetworkMode": _matches(network),
        "Privileged": _is(False),
        "CapDrop": _is(["ALL"]),
        "SecurityOpt": _is(["no-new-privileges:true", f"seccomp={seccomp_profile()}"]),
        "ReadonlyRootfs": lambda x: isinstance(x, bool),
        "Tmpfs": _are_tmpfs,
        "Mounts": lambda mounts: all(
            _is_ca_bundle(m, settings) or _is_volume(m, settings) or _is_opened(m, settings)
            for m in mounts
        ),
        "Memory": _between(6 * MB, 1024 * 1024 * MB),  # 6 MB is the engine's own minimum
        "MemorySwap": _between(6 * MB, 1024 * 1024 * MB),
        "MemoryReservation": _between(6 * MB, 1024 * 1024 * MB),
        "OomScoreAdj": _between(1, 1000),
        "NanoCpus": _between(1, (os.cpu_count() or 1) * NANO),
        "CpuShares": _between(2, 1024),
        "PidsLimit": _between(1, 4096),
        "ShmSize": _between(0, 64 * 1024 * MB),
        "Ulimits": _are_ulimits,
        "Init": _is(True),
        "IpcMode": _is("private"),
        "CgroupnsMode": _is("private"),
        "Sysctls": _is({"net.ipv4.ip_unprivileged_port_start": "0"}),
        "RestartPolicy": _is({"Name": "no", "MaximumRetryCount": 0}),
        "AutoRemove": _is(False),
        "LogConfig": _is_capped_log,
    }


def _is_capped_log(config: Mapping[str, Any]) -> bool:
    size = config.get("Config", {}).get("max-size", "")
    wanted = {"Type": "json-file", "Config": {"max-size": size, "max-file": "3"}}
    return bool(LOG_SIZE.fullmatch(str(size))) and config == wanted


def _are_ulimits(limits: Sequence[Mapping[str, Any]]) -> bool:
    if len(limits) != 2 or limits[1] != CORE or limits[0].keys() != CORE.keys():  # noqa: PLR2004 - nofile, core
        return False
    numbers = [limits[0][kind] for kind in ("Soft", "Hard")]
    return limits[0]["Name"] == "nofile" and all(map(_between(64, MOST_FILES), numbers))


def _is(wanted: object) -> Rule:
    return lambda value: type(value) is type(wanted) and value == wanted


def _matches(pattern: re.Pattern[str]) -> Rule:
    return lambda value: isinstance(value, str) and bool(pattern.fullmatch(value))


def _between(low: int, high: int) -> Rule:
    return lambda value: type(value) is int and low <= value <= high


def _are_tmpfs(mounts: Mapping[str, str]) -> bool:
    return (
        set(mounts) >= OWN_TMPFS
        and len(mounts) <= len(OWN_TMPFS) + MAX_TMPFS + MAX_VOLUMES
        and all(_is_tmpfs(path, options) for path, options in mounts.items())
    )


def _is_tmpfs(path: str, options: str) -> bool:
    inside_kernel = any(path == top or path.startswith(f"{top}/") for top in KERNEL_PATHS)
    return path.startswith("/") and not inside_kernel and bool(TMPFS.fullmatch(options))


def _is_ca_bundle(mount: Mapping[str, Any], settings: Settings) -> bool:
    return mount == {
        "Type": "bind",
        "Source": str(settings.ca_bundle),
        "Target": CA_PATH,
        "ReadOnly": True,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _is_volume(mount: Mapping[str, Any], settings: Settings) -> bool:
    """Whether it is a volume of this instance, at a place that Mount itself would take."""
    top, name = f"{settings.root}/volumes/", str(mount.get("Source", "")).split("/")[-2:-1]
    try:
        wanted = Mount(0, "".join(name), str(mount.get("Target")))
    except InvalidName:
        return False
    return bool(NAME.fullmatch(wanted.volume)) and mount == {
        "Type": "bind",
        "Source": f"{top}{wanted.volume}/data",
        "Target": wanted.directory,
        "ReadOnly": bool(mount.get("ReadOnly")),
        "BindOptions": {"Propagation": "rprivate"},
    }


def _is_opened(mount: Mapping[str, Any], settings: Settings) -> bool:
    """Whether it is a folder below what the host's owner has opened; see paas.host_paths."""
    try:
        wanted = HostMount(0, str(mount.get("Source")), str(mount.get("Target")))
    except InvalidName:
        return False
    roots = [os.path.realpath(root) for root in settings.storage_paths.split(":") if root]
    is_below = any(Path(wanted.path).is_relative_to(root) for root in roots)
    return is_below and mount == {
        "Type": "bind",
        "Source": wanted.path,
        "Target": wanted.directory,
        "ReadOnly": bool(mount.get("ReadOnly")),
        "BindOptions": {"Propagation": "rprivate"},
    }


def _is_own_address(networking: Mapping[str, Any], settings: Settings) -> bool:
    if set(networking) != {"EndpointsConfig"} or len(networking["EndpointsConfig"]) != 1:
        return False
    (endpoint,) = networking["EndpointsConfig"].values()
    return set(endpoint) == {"IPAMConfig"} and _is_ours(endpoint["IPAMConfig"], settings)


def _is_ours(ipam: Mapping[str, Any], settings: Settings) -> bool:
    """Whether an endpoint asks for one address of our range, and nothing else."""
    if set(ipam) != {"IPv4Address"}:
        return False
    return IPv4Address(ipam["IPv4Address"]) in IPv4Network(settings.network)
