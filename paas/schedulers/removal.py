"""Stopping and removing containers, in spite of the engine's own races."""

import re
import time
from collections.abc import Callable
from contextlib import suppress

from docker.errors import APIError, NotFound

from paas.schedulers.engine import HTTP_CONFLICT, Engine, explanation

RETRIES = (0.02, 0.1, 0.5, 2.0, 0.0)  # seconds; 0: the last attempt
NOT_RUNNING = re.compile(r"(container|is) not running", re.IGNORECASE)


def remove_container(engine: Engine, container: str) -> None:
    """Remove by id or name, with anonymous volumes; gone, or going, is as good."""
    with engine.answering():
        for pause in RETRIES:
            try:
                _remove_once(engine, container)
                break
            except APIError as error:
                # The engine wants to kill what is ending by itself: that passes in a moment.
                if not (pause and NOT_RUNNING.search(explanation(error))):
                    raise
            time.sleep(pause)


def stop_container(
    engine: Engine, container: str, timeout: float, ended: Callable[[str], None]
) -> None:
    """Let the engine send TERM and, after the timeout, KILL: it does so even if we die."""
    with engine.answering():
        try:
            engine.api.stop(container, timeout=round(timeout))
        except NotFound:
            return
    ended(container)
    remove_container(engine, container)


def _remove_once(engine: Engine, container: str) -> None:
    try:
        engine.api.remove_container(container, force=True, v=True)
    except NotFound:
        return
    except APIError as error:
        if error.status_code != HTTP_CONFLICT:
            raise
        with suppress(NotFound):  # somebody else is removing it
            engine.api.wait(container, condition="removed")
