"""What an image has at the paths that a tmpfs is to cover: a link there would lay it elsewhere."""

import base64
import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from paas.errors import StartFailed
from paas.schedulers.base import ProcessSpec
from paas.schedulers.engine import Engine

NOT_FOUND = 404  # of the Engine API
STAT = "X-Docker-Container-Path-Stat"


def refuse_links(engine: Engine, spec: ProcessSpec, container_id: str) -> None:
    """Raise StartFailed if a VOLUME or a tmpfs of the owner's is, or lies behind, a symbolic link.

    The engine follows links inside the image: the tmpfs would cover what nobody has checked.
    """
    for path in sorted({part for asked in _asked(spec) for part in _parts(asked)}):
        target = _link_target(engine, container_id, path)
        if target:
            raise StartFailed(
                f"No tmpfs can cover {path}: it is a symbolic link to {target} in the image",
                hint=f"Name {target} instead, in the Dockerfile's VOLUME or in security:set",
            )


def _asked(spec: ProcessSpec) -> Iterator[str]:
    yield from spec.volumes
    yield from spec.options.tmpfs


def _parts(path: str) -> Iterator[str]:
    """Yield the path and all folders above it, but for the root."""
    clean = PurePosixPath(path)
    yield from (str(part) for part in (clean, *clean.parents) if part.name)


def _link_target(engine: Engine, container_id: str, path: str) -> str:
    """Return where a link leads; "" for what is none, or is not there (ContainerArchiveInfo)."""
    with engine.answering():
        api = engine.api  # docker-py has no call that leaves out the content
        url = f"{api.base_url}/v{api.api_version}/containers/{container_id}/archive"
        answer = api.head(url, params={"path": path}, timeout=api.timeout)
    if STAT in answer.headers:
        return str(json.loads(base64.b64decode(answer.headers[STAT])).get("linkTarget") or "")
    if answer.status_code == NOT_FOUND:
        return ""
    raise StartFailed(
        f"The engine cannot look at {path} in the image ({answer.status_code})",
        hint="Take the VOLUME line out of the Dockerfile, or the path out of security:set",
    )
