"""The apt cache's own log, which says what came from the mirror and what from the cache."""

import contextlib
from pathlib import Path

import docker

from paas.build.apt_cache import LOG, container_name
from paas.settings import Settings


def apt_cache_log(settings: Settings) -> list[list[str]]:
    """Return its lines: time, I (from the mirror) or O (to a build), bytes, client, file.

    It is on a tmpfs of the container, which the engine's archives do not show.
    """
    with contextlib.closing(docker.APIClient(settings.engine)) as engine:
        pid = engine.inspect_container(container_name(settings))["State"]["Pid"]
    lines = Path(f"/proc/{pid}/root{LOG}/apt-cacher.log").read_text(errors="replace")
    return [line.split("|") for line in lines.splitlines()]
