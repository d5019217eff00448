"""Changing the walls of an app: `key value` as it is typed becomes new SecurityOptions."""

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Any

from paas.errors import InvalidName
from paas.model import SecurityOptions

SIZE = re.compile(r"([0-9]{1,9})([kmg]?)b?", re.ASCII | re.IGNORECASE)
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
SIZES = range(UNITS["m"], 64 * UNITS["g"] + 1)
MEMORY = range(16 * UNITS["m"], 1024 * UNITS["g"] + 1)
PIDS = range(8, 4096 + 1)
FILES = range(64, 65536 + 1)
UIDS = range(1, 2**31)  # never 0
TMPFS = 4
KERNEL = ("/proc", "/sys", "/dev")
NEEDED = ("/", "/etc", "/bin", "/lib", "/usr")
DEFAULTS = SecurityOptions()
KEYS = tuple(field.name.replace("_", "-") for field in fields(SecurityOptions))


def change_option(options: SecurityOptions, key: str, value: str) -> SecurityOptions:
    """Return `options` with one changed; an empty value brings the default back.

    `tmpfs` takes `/path=16m`, which adds or resizes one, and `/path=`, which takes it away. Raises
    InvalidName for an unknown key and for a value that is not of its form.
    """
    if key not in PARSERS:
        raise InvalidName(f"{key!r} is not a wall", hint=f"There are: {', '.join(KEYS)}")
    name = key.replace("-", "_")
    if not value:
        changed: Any = getattr(DEFAULTS, name)
    elif key == "tmpfs":
        changed = _change_tmpfs(options.tmpfs, value)
    else:
        changed = PARSERS[key](value)
    return replace(options, **{name: changed})


def loosened(options: SecurityOptions) -> tuple[str, ...]:
    """Return the keys whose values are not the hardened defaults."""
    return tuple(
        key
        for key in KEYS
        if getattr(options, key.replace("-", "_")) != getattr(DEFAULTS, key.replace("-", "_"))
    )


def of_owners(options: SecurityOptions) -> SecurityOptions:
    """Return the hardened walls with those that an app's owner may move (docker-options:add)."""
    return replace(DEFAULTS, shm_size=options.shm_size, open_files=options.open_files)


def show_size(size: int) -> str:
    """Return a size as it is typed: `64m`."""
    for unit in ("g", "m", "k"):
        if size and size % UNITS[unit] == 0:
            return f"{size // UNITS[unit]}{unit}"
    return str(size)


def _parse_switch(value: str) -> bool:
    if value not in {"true", "false"}:
        raise InvalidName(f"{value!r} is neither true nor false", hint="Give true or false.")
    return value == "true"


def _parse_size(value: str, limits: range = SIZES) -> int:
    match = SIZE.fullmatch(value)
    size = int(match[1]) * UNITS[match[2].lower()] if match else 0
    if size not in limits:
        low, high = show_size(limits[0]), show_size(limits[-1])
        raise InvalidName(f"{value!r} is not a size", hint=f"Give 64m, 1g, ...: {low} to {high}")
    return size


def _parse_number(limits: range) -> Callable[[str], int]:
    def parse(value: str) -> int:
        number = int(value) if re.fullmatch(r"[0-9]{1,10}", value, re.ASCII) else -1
        if number not in limits:
            raise InvalidName(
                f"{value!r} is not possible", hint=f"Give {limits[0]} to {limits[-1]}."
            )
        return number

    return parse


def _change_tmpfs(now: Mapping[str, int], value: str) -> Mapping[str, int]:
    path, equals, size = value.partition("=")
    clean = _parse_path(path)
    if not equals:
        raise InvalidName(f"{value!r} has no size", hint=f"Give {clean}=16m")
    changed = {each: now[each] for each in now if each != clean}
    if size:
        changed[clean] = _parse_size(size)
    if len(changed) > TMPFS:
        raise InvalidName(
            f"At most {TMPFS} tmpfs are possible", hint=f"Take one away: tmpfs {next(iter(now))}="
        )
    return MappingProxyType(changed)


def _parse_path(path: str) -> str:
    clean = "/" + posixpath.normpath(path).strip("/")
    in_kernel = any(clean == top or clean.startswith(f"{top}/") for top in KERNEL)
    plain = re.fullmatch(r"/[A-Za-z0-9._/-]{1,255}", path, re.ASCII)
    if not plain or ".." in path.split("/") or in_kernel or clean in NEEDED:
        raise InvalidName(
            f"No tmpfs can cover {path!r}", hint="Give the folder that is written to: /var/x=16m"
        )
    return clean


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "writable-root": _parse_switch,
    "tmp-size": _parse_size,
    "tmpfs": str,
    "memory": lambda value: _parse_size(value, MEMORY),
    "pids": _parse_number(PIDS),
    "run-as": _parse_number(UIDS),
    "shm-size": _parse_size,
    "open-files": _parse_number(FILES),
}
