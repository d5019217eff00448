"""Which users of the host the users in containers are, where the engine maps them (userns-remap).

Docker's manual, "Isolate containers with a user namespace": the engine's data then lie in a folder
called by the user and the group that root is mapped to, `1000000.1000000`. The ranges stand in
subuid(5) and subgid(5).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from paas.model import UID_BASE

RANGES = (Path("/etc/subuid"), Path("/etc/subgid"))
NEEDED = UID_BASE + 100_000  # apps' users are UID_BASE + the app's number
ROOT = re.compile(r"([0-9]+)\.([0-9]+)", re.ASCII)
RANGE = re.compile(r"[^:#]+:([0-9]+):([0-9]+)", re.ASCII)


@dataclass(frozen=True)
class UserMap:
    """The user and the group of the host that a container's root is."""

    uid: int = 0
    gid: int = 0

    @property
    def is_wide_enough(self) -> bool:
        """Whether the apps' users are mapped: an app whose user is not cannot be started."""
        firsts = zip((self.uid, self.gid), RANGES, strict=True)
        return not self.uid or all(_mapped(first, file) >= NEEDED for first, file in firsts)


def user_map(info: Mapping[str, Any]) -> UserMap:
    """Return the map of an engine that says this of itself (`GET /info`)."""
    options = {part for each in info.get("SecurityOptions") or () for part in each.split(",")}
    found = ROOT.fullmatch(PurePosixPath(info.get("DockerRootDir", "")).name)
    return (
        UserMap(int(found[1]), int(found[2])) if found and "name=userns" in options else UserMap()
    )


def _mapped(first: int, file: Path) -> int:
    """Return how many ids a file of ranges gives from `first` on."""
    lines = file.read_text().splitlines() if file.exists() else []
    ranges = (found for line in lines if (found := RANGE.fullmatch(line.strip())))
    return max(
        (int(count) for start, count in (r.groups() for r in ranges) if int(start) == first),
        default=0,
    )
