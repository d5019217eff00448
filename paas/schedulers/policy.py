"""Whether the engine brings containers back by itself."""

import time
from collections.abc import Sequence
from typing import Any

from docker.errors import APIError, NotFound

from paas.model import ProcessState
from paas.schedulers.engine import Engine
from paas.schedulers.observe import from_inspect
from paas.schedulers.removal import RETRIES

KEPT: Any = {"Name": "unless-stopped"}  # Any: docker's stubs know two of the four policies
NOT_KEPT: Any = {"Name": "no"}  # Any: as above


def set_policy(engine: Engine, container_ids: Sequence[str], policy: Any) -> None:  # noqa: ANN401 - see KEPT
    """Give containers a policy; one that is gone, or ends just now, is left alone."""
    for container_id in container_ids:
        with engine.answering():
            try:
                engine.api.update_container(container_id, restart_policy=policy)
            except NotFound:
                continue
            except APIError:
                # One that ended just now is for the reconciler, which starts it anew.
                if not _is_ending(engine, container_id):
                    raise


def _is_ending(engine: Engine, container_id: str) -> bool:
    """Whether it has ended, or does so in a moment: the engine's words for it vary."""
    for pause in RETRIES:
        try:
            seen = from_inspect(engine.api.inspect_container(container_id))
        except NotFound:
            return True
        if seen.state is not ProcessState.RUNNING:
            return True
        time.sleep(pause)
    return False
