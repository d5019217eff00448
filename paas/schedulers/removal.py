"""Removing containers and images, in spite of the engine's own races."""

import re
import time
from contextlib import suppress

from docker.errors import APIError, NotFound

from paas.schedulers.engine import HTTP_CONFLICT, Engine, explanation
from paas.settings import Settings

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


def remove_image(engine: Engine, settings: Settings, image_id: str) -> None:
    """Remove an image with its names, if all of them are this instance's and no base image."""
    own = f"{settings.instance}/"
    with engine.answering():
        try:
            image = engine.api.inspect_image(image_id)  # type: ignore[no-untyped-call] # docker's stubs
            names = image["RepoTags"] or []
            if all(n.startswith(own) and not n.startswith(f"{own}stack") for n in names):
                for name in names or [image_id]:
                    engine.api.remove_image(name)
        except APIError as error:
            if not isinstance(error, NotFound) and error.status_code != HTTP_CONFLICT:
                raise


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
