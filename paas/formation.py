"""Which processes there should be, and how old ones make room for new ones."""

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from paas import checks
from paas.errors import InvalidName, UsageError
from paas.manifest import Manifest
from paas.model import App, ProcessType, process_type
from paas.platform import Platform
from paas.routing import WEB

RELEASE = "release"
TOPIC = "ps"
STOP_TIMEOUT = "stop-timeout-seconds"
LONGEST_STOP = 3600
ALIASES = {"stop-timeout": STOP_TIMEOUT}  # of older Dokkus
REFUSED = {
    "restart-policy": "every process that ends is started again, after longer and longer pauses",
    "restore": "what was not stopped by ps:stop comes back after a boot",
    "skip-deploy": "config:set and ps:scale have flags for it: --no-restart, --skip-deploy",
    "start-cmd": "the Procfile says what starts",
    "dockerfile-start-cmd": "the Procfile, or the Dockerfile's CMD, says what starts",
}
Slot = tuple[str, int]  # ("web", 1) for web.1


class Strategy(StrEnum):
    """How processes are replaced: new beside old, or one after the other for single writers."""

    ROLLING = "rolling"
    RECREATE = "recreate"


def quantities(
    processes: Sequence[ProcessType], manifest: Manifest, scaled: Mapping[str, int]
) -> dict[str, int]:
    """Return {process type: quantity}, web first.

    app.json says it, else `scaled` (what ps:scale stored), else web runs once and the rest not at
    all, as on Heroku; an app without web runs each of its types once.
    """
    names = sorted((p.name for p in processes if p.name != RELEASE), key=lambda name: name != WEB)
    first = {WEB} if WEB in names else set(names)
    said = {**scaled, **manifest.formation}
    return {name: said.get(name, int(name in first)) for name in names}


def current(platform: Platform, app: App) -> dict[str, int]:
    """Return how many processes of each type there should be now; before a push what is stored."""
    release = platform.store.releases.current(app.id)
    scaled = platform.store.formation.get(app.id)
    return quantities(release.processes, release.manifest, scaled) if release else dict(scaled)


def missing(platform: Platform, app: App, names: Iterable[str]) -> tuple[str, ...]:
    """Return those of the process types that the current release does not have."""
    release = platform.store.releases.current(app.id)
    known = {process.name for process in release.processes} if release else set(names)
    return tuple(name for name in names if name not in known or name == RELEASE)


def can_scale(platform: Platform, app: App) -> bool:
    """Whether ps:scale holds, because the current release's app.json sets no formation."""
    release = platform.store.releases.current(app.id)
    return release is None or not is_locked(release.manifest)


def is_locked(manifest: Manifest) -> bool:
    """Whether app.json sets the formation, so that ps:scale may not."""
    return bool(manifest.formation)


def slots(wanted: Mapping[str, int]) -> tuple[Slot, ...]:
    """Return the processes of a formation, in the order in which they start."""
    return tuple((name, slot) for name, count in wanted.items() for slot in range(1, count + 1))


def strategy(platform: Platform, app: App, process_type: str) -> Strategy:
    """Return how this process type is replaced: its own strategy, else the app's, else rolling.

    Where checks:disable took the zero-downtime deploy away, the old stop first.
    """
    chosen = platform.store.properties.get(app.id, TOPIC)
    said = chosen.get(f"strategy.{process_type}") or chosen.get("strategy")
    if not said and checks.is_listed(platform, app, checks.DISABLED, process_type):
        return Strategy.RECREATE
    return Strategy(said or Strategy.ROLLING)


def stop_timeout(platform: Platform, app_id: int) -> float:
    """Return how many seconds a process has from TERM to KILL."""
    chosen = platform.store.properties.get(app_id, TOPIC).get(STOP_TIMEOUT)
    return float(chosen or platform.settings.stop_timeout)


def set_property(platform: Platform, app: App, key: str, value: str) -> None:
    """Store a property of ps:set; "" clears it. Raises UsageError, InvalidName."""
    key = ALIASES.get(key, key)
    if key in REFUSED and value:
        raise UsageError(f"{key} cannot be set: {REFUSED[key]}", hint="See ps:help.")
    if key == STOP_TIMEOUT:
        value = parse_seconds(value) if value else value
    else:
        _check_strategy(key, value)
    platform.store.properties.set(app.id, TOPIC, key, value or None)


def parse_seconds(value: str) -> str:
    """Return the seconds that a process may take to stop. Raises InvalidName."""
    if not re.fullmatch(r"[0-9]{1,4}", value, re.ASCII) or not 1 <= int(value) <= LONGEST_STOP:
        raise InvalidName(f"{value!r} is not possible", hint=f"Give 1 to {LONGEST_STOP} seconds.")
    return value


def _check_strategy(key: str, value: str) -> None:
    name, dot, type_name = key.partition(".")
    if name != "strategy" or (dot and not type_name):
        raise UsageError(
            f"{key!r} is not a ps property",
            hint=f"There are: strategy, strategy.TYPE, {STOP_TIMEOUT}, procfile-path",
        )
    if dot:
        process_type(type_name)
    if value and value not in set(Strategy):
        raise InvalidName(
            f"{value!r} is not a strategy",
            hint="Give rolling (new beside old), or recreate (old stops first; single writers).",
        )
