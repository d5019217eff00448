"""The engines that contract tests run against."""

import contextlib
import os
import time
from collections.abc import Callable
from typing import TypeVar

import docker
from docker.errors import ImageNotFound

LOCAL = "unix:///var/run/docker.sock"
# Several engines: PAAS_TEST_ENGINES="unix:///var/run/docker.sock unix:///nested/docker.sock"
ENGINES = os.environ.get("PAAS_TEST_ENGINES", LOCAL).split()
STACK = "paas/stack:trixie"  # made by `bootstrap.sh test`
T = TypeVar("T")
PATIENCE = 15.0  # seconds; only a failure waits that long


def stack_image(url: str) -> str:
    """Return the stack image's id on this engine; it is copied from the local one if needed."""
    with contextlib.closing(docker.APIClient(url, timeout=300)) as engine:
        try:
            return _id_of(engine)
        except ImageNotFound:
            with contextlib.closing(docker.APIClient(LOCAL, timeout=300)) as local:
                for _ in engine.load_image(local.get_image(STACK)):  # type: ignore[no-untyped-call] # docker's stubs
                    pass
            return _id_of(engine)


def until(look: Callable[[], T], is_enough: Callable[[T], bool]) -> T:
    """Return the first answer that is enough; after a while whatever was last seen."""
    deadline = time.monotonic() + PATIENCE
    while not is_enough(seen := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return seen


def _id_of(engine: docker.APIClient) -> str:
    return str(engine.inspect_image(STACK)["Id"])  # type: ignore[no-untyped-call] # docker's stubs
