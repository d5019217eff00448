"""What the engine says when it refuses a container, and what to do about it."""

import re

from paas.errors import ImageMissing, StartFailed
from paas.schedulers.base import ProcessSpec

NO_IMAGE = r"no such image"
MAP = "The engine has no such user: its userns-remap is too narrow, see paas doctor"
CAUSES = (
    (NO_IMAGE, "Run: ps:rebuild {app}"),
    (r"no command specified", "Add a CMD to the Dockerfile, or a Procfile with a web: line"),
    (r"address already in use", "Push again: an older container was still leaving"),
    (r"argument list too long", "Make config values smaller: 64 KiB each, 1 MiB together"),
    (r"no space left", "Free disk space on the host; see: paas doctor"),
    (r"uid=[0-9]+\S*: invalid argument", MAP),
    (r"minimum memory limit", "Run: security:set {app} memory 128m"),
)


def start_failed(spec: ProcessSpec, said: str) -> StartFailed:
    """Return the error for a container that the engine did not create or start."""
    hint = next((h for p, h in CAUSES if re.search(p, said, re.IGNORECASE)), "Run: paas doctor")
    kind = ImageMissing if re.search(NO_IMAGE, said, re.IGNORECASE) else StartFailed
    return kind(
        f"{spec.process_type}.{spec.slot} cannot be started: {said}",
        hint=hint.format(app=spec.app.name),
    )
