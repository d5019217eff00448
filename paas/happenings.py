"""What the engine tells of an instance's containers, as events of its apps."""

import re
from collections.abc import Sequence

from paas.model import AppEvent
from paas.platform import Platform
from paas.schedulers.base import Change, Event

TOLD = {Change.STARTED, Change.ENDED, Change.OUT_OF_MEMORY, Change.STOPPED}


def write_down(platform: Platform, events: Sequence[Event]) -> None:
    """Write the engine's events down; what concerns no app of ours is left out."""
    told = (_app_event(platform.settings.instance, event) for event in events)
    platform.store.events.add([event for event in told if event])


def _app_event(instance: str, event: Event) -> AppEvent | None:
    """Return the event of one of our containers: their names say app and process."""
    name = re.fullmatch(
        rf"{re.escape(instance)}-([a-z0-9-]+)\.([a-z0-9_-]+\.[0-9]+)\.[0-9]+", event.name, re.ASCII
    )
    if not name or event.change not in TOLD:
        return None
    details: dict[str, object] = {"container": event.container_id[:12]}
    if event.exit_code is not None:
        details["code"] = event.exit_code
    return AppEvent(name[1], str(event.change), name[2], details)
