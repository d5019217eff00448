"""What one process may take of the host, and what is kept for it: resource:limit and :reserve.

Values are those of the process type, else those of all types (`_default_`, Dokku's word), else the
app's own memory (security:set), else the host's default.
"""

import os
import re
from collections.abc import Mapping

from paas.errors import InvalidName
from paas.model import App, process_type
from paas.options import MEMORY, SIZE, UNITS, show_size
from paas.platform import Platform
from paas.schedulers.base import Resources

TOPIC = "resource"
ANY_TYPE, BUILD = "_default_", "build"
LIMIT, RESERVE = "limit", "reserve"
CPU, RAM = "cpu", "memory"
KINDS = {LIMIT: (CPU, RAM), RESERVE: (RAM,)}
CLEAR = "clear"
CPUS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3})?", re.ASCII)
LEAST_CPU = 0.05


def type_name(name: str | None) -> str:
    """Return the name under which a process type's values stand. Raises InvalidName."""
    if name == BUILD:
        raise InvalidName(
            "Builds share one limit on this host: the engine has none for a single build",
            hint="The host's owner sets it for all builds: build_memory in paas.toml",
        )
    return process_type(name) if name and name != ANY_TYPE else ANY_TYPE


def parse_cpu(value: str) -> str:
    """Return the number of processors. Raises InvalidName."""
    most = os.cpu_count() or 1
    if not CPUS.fullmatch(value) or not LEAST_CPU <= float(value) <= most:
        raise InvalidName(
            f"{value!r} processors are not possible", hint=f"Give {LEAST_CPU} to {most}, or clear."
        )
    return f"{float(value):g}"


def parse_memory(value: str) -> str:
    """Return a size with its unit; MB if none is given, as in Dokku. Raises InvalidName."""
    match = SIZE.fullmatch(value)
    size = int(match[1]) * UNITS[match[2].lower() or "m"] if match else 0
    if size not in MEMORY:
        low, high = show_size(MEMORY[0]), show_size(MEMORY[-1])
        raise InvalidName(f"{value!r} is not a size", hint=f"Give 512m, 1g ({low} to {high}).")
    return show_size(size)


PARSERS = {CPU: parse_cpu, RAM: parse_memory}


def change(platform: Platform, app: App, kind: str, name: str, values: Mapping[str, str]) -> None:
    """Store {cpu|memory: value} of a process type; `clear` and "" clear one."""
    for key, value in values.items():
        text = None if value in {CLEAR, ""} else PARSERS[key](value)
        platform.store.properties.set(app.id, TOPIC, f"{name}.{kind}.{key}", text)


def clear(platform: Platform, app: App, kind: str, name: str | None) -> None:
    """Clear all values of a kind, of one process type, or of all types and each."""
    for key in stored(platform, app):
        owner, its_kind, _ = key.split(".")
        if its_kind == kind and name in {None, owner}:
            platform.store.properties.set(app.id, TOPIC, key, None)


def stored(platform: Platform, app: App) -> Mapping[str, str]:
    """Return {`web.limit.memory`: value} as it was set."""
    return platform.store.properties.get(app.id, TOPIC)


def is_more(platform: Platform, values: Mapping[str, str]) -> bool:
    """Whether limits go beyond what every app may have. Raises InvalidName."""
    cpu, ram = (values.get(key, "") for key in (CPU, RAM))
    wants_cpu = cpu not in {"", CLEAR} and float(parse_cpu(cpu)) > 1
    wants_ram = (
        ram not in {"", CLEAR} and to_bytes(parse_memory(ram)) > platform.settings.app_memory
    )
    return wants_cpu or wants_ram


def of_process(platform: Platform, app: App, name: str) -> Resources:
    """Return what a process of this type may take."""
    values = stored(platform, app)

    def find(kind: str, key: str) -> str | None:
        return values.get(f"{name}.{kind}.{key}") or values.get(f"{ANY_TYPE}.{kind}.{key}")

    cpu, ram, kept = find(LIMIT, CPU), find(LIMIT, RAM), find(RESERVE, RAM)
    return Resources(
        cpus=float(cpu) if cpu else 1.0,
        memory=to_bytes(ram) if ram else None,
        reserved=to_bytes(kept) if kept else None,
    )


def to_bytes(size: str) -> int:
    """Return the bytes of a size that parse_memory() gave."""
    match = SIZE.fullmatch(size)
    if not match:
        raise InvalidName(f"{size!r} is not a size")
    return int(match[1]) * UNITS[match[2].lower()]
