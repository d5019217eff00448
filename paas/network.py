"""Networks that chosen apps share; every name is validated at construction."""

import re
from dataclasses import dataclass
from enum import StrEnum

from paas.errors import InvalidName

NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,28}[a-z0-9])?", re.ASCII)
DOCKERS = ("bridge", "host", "none")  # networks that every engine has
WIDTH = 4  # of the host's small subnets make one shared network: 125 addresses


class Phase(StrEnum):
    """When a new process comes onto a network: Dokku's words."""

    INITIAL = "initial-network"  # before it starts
    CREATE = "attach-post-create"  # before it starts
    DEPLOY = "attach-post-deploy"  # once it is healthy and current


@dataclass(frozen=True)
class SharedNetwork:
    """A network that apps are attached to; `index` is that of its first small subnet."""

    id: int
    name: str
    index: int
    owner: str | None  # the user who made it; None: an admin's
    created_at: float

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class Attachment:
    """An app on a shared network."""

    app_id: int
    network: SharedNetwork
    phase: Phase


@dataclass(frozen=True)
class Link:
    """One container's place on a shared network."""

    network: SharedNetwork
    names: tuple[str, ...] = ()  # by which the others reach it: `shop.web`, `shop.web.1`
    address: str = ""  # fixed; "": the engine chooses one that no process has


def check_name(name: str) -> str:
    """Return the name. Raises InvalidName."""
    if not NAME.fullmatch(name) or name in DOCKERS:
        raise InvalidName(
            f"{name!r} is not a network's name",
            hint="Use 1-30 lower-case letters, digits and hyphens, a letter first.",
        )
    return name
