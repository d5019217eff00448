"""Processes in their containers, and what befell them."""

from dataclasses import dataclass
from enum import StrEnum


class ProcessState(StrEnum):
    """What the engine says of a container."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    EXITED = "exited"
    MISSING = "missing"


class ContainerRole(StrEnum):
    """Why a container exists: to become current, being current, or ending its connections."""

    STARTING = "starting"
    CURRENT = "current"
    DRAINING = "draining"


@dataclass(frozen=True)
class Container:
    """A container that the database knows. Only ids from here are trusted, never labels."""

    id: str
    app_id: int
    deploy_id: int
    process_type: str
    slot: int  # 1 for web.1
    address: str  # IPv4, fixed
    port: int
    role: ContainerRole
    created_at: float
    trouble: str = ""  # why it does not run, or did not a moment ago; "" when it is well
    due: float = 0.0  # with trouble: when to look after it again, seconds since the epoch
    is_parked: bool = False  # crashed too often: it stays down until a deploy or ps:restart

    @property
    def process(self) -> str:
        """The process's name, `web.1`."""
        return f"{self.process_type}.{self.slot}"


class EndKind(StrEnum):
    """What befell a current process."""

    CRASH = "crash"  # it ended by itself, with whatever status
    START = "start"  # it was missing, or could not be started
    HAND = "hand"  # somebody asked the engine for it


@dataclass(frozen=True)
class End:
    """One of these; `ended` is the engine's time, by which one end is told from another."""

    kind: EndKind
    ended: float
    at: float  # when paas saw it, seconds since the epoch
