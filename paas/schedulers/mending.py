"""Bringing one container back to what start() made of it, without losing a process that runs."""

from collections.abc import Mapping
from typing import Any

from docker.errors import APIError

from paas.schedulers.engine import Engine


def mend(engine: Engine, container_id: str, name: str) -> bool:
    """Do what base.Scheduler.mend says. Raises what the engine's connection raises.

    What the engine refuses (a name that is taken, a network that is gone) is for a new container.
    """
    try:
        found = engine.api.inspect_container(container_id)
        if found["Name"] != f"/{name}":
            engine.api.rename(container_id, name)
        if found["State"]["Paused"]:
            engine.api.unpause(container_id)
        if not _is_up(found):
            engine.api.start(container_id)
    except APIError:
        return False
    return True


def _is_up(found: Mapping[str, Any]) -> bool:
    """Whether a process runs. The engine says so too of one that it will restart in a moment."""
    return bool(found["State"]["Running"])
