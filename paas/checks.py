"""Which checks hold for an app: those of its app.json, with what `checks:set` says over them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from paas.errors import InvalidName, UsageError
from paas.health import GRACE
from paas.look import LENIENT
from paas.manifest import Check, CheckKind, Manifest
from paas.model import App, process_type
from paas.platform import Platform
from paas.routing import WEB

TOPIC = "checks"
PATH = re.compile(r"/[!-~]{0,511}", re.ASCII)  # what may stand in a request line (RFC 9112)
CONTENT_LENGTH = 256
DISABLED, SKIPPED = "disabled-list", "skipped-list"  # process types, parted by commas
ALL = "_all_"


def parse_path(value: str) -> str:
    """Return `value` if it can be asked for; raise InvalidName."""
    if not PATH.fullmatch(value):
        raise InvalidName(f"{value!r} is not a path", hint="Give a path such as /healthz")
    return value


def parse_content(value: str) -> str:
    """Return `value` if it can be looked for in a body; raise InvalidName."""
    if not value.isprintable() or len(value) > CONTENT_LENGTH:
        raise InvalidName(
            f"{value[:40]!r} cannot be looked for",
            hint=f"Give printable text of at most {CONTENT_LENGTH} characters.",
        )
    return value


def _number(low: int, high: int) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not re.fullmatch(r"[0-9]{1,6}", value, re.ASCII) or not low <= int(value) <= high:
            raise InvalidName(f"{value!r} is not possible", hint=f"Give {low} to {high}.")
        return value

    return parse


KEYS: Mapping[str, Callable[[str], str]] = {
    "path": parse_path,
    "content": parse_content,
    "attempts": _number(1, 100),
    "timeout": _number(1, 300),
    "wait": _number(1, 300),
    "startup-timeout": _number(1, 3600),
    "wait-to-retire": _number(0, 3600),
}


def set_property(platform: Platform, app: App, key: str, value: str) -> None:
    """Store one property; an empty value clears it. Raises UsageError, InvalidName."""
    if key not in KEYS:
        raise UsageError(f"{key!r} is not a checks property", hint=f"There are: {', '.join(KEYS)}.")
    platform.store.properties.set(app.id, TOPIC, key, KEYS[key](value) if value else None)


def list_types(platform: Platform, app: App, kind: str, types: str, *, is_on: bool) -> None:
    """Note that these process types (`web,worker`, ALL) are disabled or skipped, or neither.

    A type is one of both at most. Raises InvalidName.
    """
    for each in (DISABLED, SKIPPED):
        known = set(_listed(platform, app, each))
        wanted = {ALL} if types == ALL else {process_type(name) for name in types.split(",")}
        stays = set() if types == ALL else known - wanted
        if each == kind and is_on:
            stays = wanted if types == ALL else stays | wanted
        platform.store.properties.set(app.id, TOPIC, each, ",".join(sorted(stays)) or None)


def is_listed(platform: Platform, app: App, kind: str, process_type: str) -> bool:
    """Whether checks:disable or checks:skip (`kind`) was typed for this process type, or all."""
    return not {ALL, process_type}.isdisjoint(_listed(platform, app, kind))


def shown_list(platform: Platform, app: App, kind: str) -> str:
    """Return the types as Dokku shows them: `_all_`, `none`, or a list."""
    return ",".join(_listed(platform, app, kind)) or "none"


def are_off(platform: Platform, app: App, process_type: str) -> bool:
    """Whether nothing is asked of a new process of this type: it counts once it has started."""
    return any(is_listed(platform, app, kind, process_type) for kind in (DISABLED, SKIPPED))


def _listed(platform: Platform, app: App, kind: str) -> tuple[str, ...]:
    text = platform.store.properties.get(app.id, TOPIC).get(kind, "")
    return tuple(text.split(",")) if text else ()


def startup_checks(
    platform: Platform, app: App, manifest: Manifest, process_type: str
) -> tuple[Check, ...]:
    """Return what a new process must pass, in order. A web process is always asked something."""
    wanted = _of_kind(manifest, process_type, CheckKind.STARTUP)
    if process_type != WEB:
        return wanted
    chosen = platform.store.properties.get(app.id, TOPIC)
    asked = tuple(check for check in wanted if check.path)
    if not asked or "path" in chosen:
        asked = (replace(asked[0], content="") if asked else LENIENT,)
    others = tuple(check for check in wanted if not check.path)
    return (*(_with_properties(check, chosen) for check in asked), *others)


def liveness_checks(manifest: Manifest, process_type: str) -> tuple[Check, ...]:
    """Return what a running process is asked again and again; nothing unless app.json says so."""
    return _of_kind(manifest, process_type, CheckKind.LIVENESS)


def uptime(checks: tuple[Check, ...]) -> float:
    """Return how long a new process without port must stay up."""
    return max((check.uptime for check in checks), default=0.0) or GRACE


def startup_timeout(platform: Platform, app: App) -> float:
    """Return within how many seconds a new web process must be healthy."""
    chosen = platform.store.properties.get(app.id, TOPIC).get("startup-timeout")
    return float(chosen or platform.settings.health_timeout)


def drain_timeout(platform: Platform, app_id: int) -> float:
    """Return how many seconds an old process has to end its connections."""
    chosen = platform.store.properties.get(app_id, TOPIC).get("wait-to-retire")
    return float(chosen or platform.settings.drain_timeout)


def _of_kind(manifest: Manifest, process_type: str, kind: CheckKind) -> tuple[Check, ...]:
    return tuple(c for c in manifest.checks.get(process_type, ()) if c.kind is kind)


def _with_properties(check: Check, chosen: Mapping[str, str]) -> Check:
    return replace(
        check,
        path=chosen.get("path", check.path),
        content=chosen.get("content", check.content),
        attempts=int(chosen.get("attempts", check.attempts)),
        timeout=float(chosen.get("timeout", check.timeout)),
        wait=float(chosen.get("wait", check.wait)),
    )
