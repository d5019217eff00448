"""What is deployed: images, candidates, releases, and the attempts to make them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from paas.manifest import Manifest
from paas.model.names import process_type

DEFAULT_PORT = 5000


class DeployState(StrEnum):
    """The states of one deploy, in order; a crash before SWITCHED is undone, after it finished."""

    RECEIVED = "received"
    BUILDING = "building"
    BUILT = "built"
    RELEASING = "releasing"
    STARTING = "starting"
    HEALTHY = "healthy"
    SWITCHED = "switched"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """True when nothing more will happen to the deploy."""
        return self in {DeployState.DONE, DeployState.FAILED, DeployState.CANCELLED}


@dataclass(frozen=True)
class ProcessType:
    """A line of a Procfile. `command` None means the image's own command."""

    name: str
    command: str | None

    def __post_init__(self) -> None:
        process_type(self.name)


@dataclass(frozen=True)
class Image:
    """An image as the engine knows it, named by content (`id` is `sha256:...`)."""

    id: str
    size: int  # bytes
    exposed: tuple[int, ...] = ()  # tcp ports of EXPOSE, ascending
    volumes: tuple[str, ...] = ()  # paths of VOLUME
    command: tuple[str, ...] = ()  # ENTRYPOINT + CMD
    user: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class Candidate:
    """What make_release() made and activate() may turn into the next release."""

    image: Image
    processes: tuple[ProcessType, ...]
    config: Mapping[str, str]
    port: int
    commit: str | None
    summary: str  # the plan in one line: "Python 3.13.5 (.python-version), uv (uv.lock), Flask"
    manifest: Manifest = field(default_factory=Manifest)
    inherited: tuple[str, ...] = ()  # keys of the config that are those of all apps
    detected_port: int | None = None  # where `port` was chosen by ports:set: what it was instead of


@dataclass(frozen=True)
class Release:
    """A version of an app that was current at some time; immutable."""

    id: int
    app_id: int
    version: int
    image: str
    config: Mapping[str, str]
    processes: tuple[ProcessType, ...]
    port: int
    commit: str | None
    deploy_id: int
    actor: str
    reason: str
    created_at: float
    volumes: tuple[str, ...] = ()  # VOLUME paths of the image, covered at run time
    manifest: Manifest = field(default_factory=Manifest)
    inherited: tuple[str, ...] = ()  # as in Candidate
    detected_port: int | None = None  # as in Candidate


@dataclass(frozen=True)
class Deploy:
    """One attempt to make a release current."""

    id: int
    app_id: int
    state: DeployState
    actor: str
    reason: str  # "push", "config:set", "ps:rebuild", ...
    commit: str | None
    branch: str | None
    started_at: float  # seconds since the epoch
    finished_at: float | None = None
    version: int | None = None  # of the release it made
    error: str = ""
    pid: int | None = None  # of the process that works on it
    pid_started: int | None = None  # see workers.started_at()
    cancelled_by: str | None = None  # who asked; it is undone then
    steps: tuple[tuple[DeployState, float], ...] = ()  # when each state was entered
