"""The two calls that make a container run, and what a missing network looks like."""

import re
from typing import Any

from docker.errors import APIError

from paas.schedulers.base import ProcessSpec
from paas.schedulers.engine import Engine, explanation
from paas.schedulers.refusals import start_failed

MISSING_NETWORK = re.compile(r"network \S+ not found|could not find (a )?network", re.IGNORECASE)


def create_once(engine: Engine, config: dict[str, Any], name: str) -> str:
    """Create a container; return its id. Raises docker's errors."""
    made = engine.api.create_container_from_config(config, name)  # type: ignore[no-untyped-call] # docker's stubs
    return str(made["Id"])


def start_once(engine: Engine, spec: ProcessSpec, container_id: str) -> bool:
    """Start it; return False if the app's network is missing. Raises StartFailed, ImageMissing."""
    with engine.answering():
        try:
            engine.api.start(container_id)
        except APIError as error:
            if MISSING_NETWORK.search(explanation(error)):
                return False
            raise start_failed(spec, explanation(error)) from error
    return True
