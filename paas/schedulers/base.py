"""The seam to whatever runs containers. A scheduler decides nothing: it starts what it is told."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Protocol

from paas.model import App, Finding, ProcessState, SecurityOptions
from paas.network import Link, SharedNetwork
from paas.volume import HostMount, Mount


@dataclass(frozen=True)
class Resources:
    """How much of the host a process may take. Sizes are bytes."""

    cpus: float = 1.0
    memory: int | None = None  # None: what its security options say, else the host's default
    reserved: int | None = None  # kept for it when the host runs short


@dataclass(frozen=True)
class ProcessSpec:
    """One container to be. Its name is derived: `<instance>-<app>.<type>.<slot>.<deploy id>`."""

    app: App
    deploy_id: int
    process_type: str
    slot: int
    image: str  # id, sha256:...
    command: str | None  # a shell line; None: the image's own command
    config: Mapping[str, str]
    port: int
    address: str  # IPv4 in the app's subnet
    options: SecurityOptions = field(default_factory=SecurityOptions)
    volumes: tuple[str, ...] = ()  # VOLUME paths of the image, covered by sized tmpfs
    resources: Resources = field(default_factory=Resources)
    mounts: tuple[Mount, ...] = ()
    host_mounts: tuple[HostMount, ...] = ()
    log_megabytes: int = 10  # per file of its log, of which there are three
    links: tuple[Link, ...] = ()  # shared networks, beside the app's own


def process_name(instance: str, app: str, process_type: str, slot: int, deploy_id: int) -> str:
    """Return the name of a process's container: `<instance>-<app>.<type>.<slot>.<deploy id>`."""
    return f"{instance}-{app}.{process_type}.{slot}.{deploy_id}"


class Change(StrEnum):
    """What can happen to a container, as far as anybody here wants to know."""

    STARTED = "start"
    ENDED = "die"
    OUT_OF_MEMORY = "oom"
    STOPPED = "stop"  # by whoever asked the engine; it has ended then
    SIGNALLED = "kill"  # somebody asked the engine for it: what ends now did not crash
    REMOVED = "destroy"
    RENAMED = "rename"
    PAUSED = "pause"


@dataclass(frozen=True)
class Event:
    """One change of one container of this instance."""

    container_id: str
    change: Change
    exit_code: int | None = None  # of one that ENDED
    name: str = field(default="", compare=False)  # the container's, as it was then


class Watch(Protocol):
    """An open stream of events, to wait for with select()."""

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when read() has something to say."""

    def read(self) -> tuple[Event, ...]:
        """Return what has happened since the last call; never wait.

        Raises EngineUnavailable when the stream has ended.
        """

    def close(self) -> None:
        """Close the stream."""


@dataclass(frozen=True)
class Observed:
    """What the engine says of one container of this instance."""

    id: str
    name: str
    state: ProcessState
    exit_code: int | None = None
    oom_killed: bool = False
    started_at: float = 0.0  # seconds since the epoch
    finished_at: float = 0.0
    pid: int = 0  # on the host, 0 when not running
    address: str = ""
    restarts: int = 0
    memory: int = 0  # the limit in bytes; containers() does not fill this, pid, times and restarts
    beside: frozenset[str] = frozenset()  # names of the networks it is on beside the app's own


class Window(Protocol):
    """The window of whoever types: its size now, and when it changes."""

    size: tuple[int, int]  # rows, columns

    def on_resize(self, callback: Callable[[int, int], None]) -> None:
        """Call `callback(rows, columns)` when the size changes, from any thread."""


@dataclass(frozen=True)
class Streams:
    """What a command reads and writes: descriptors, so that every byte passes unchanged.

    With a `window` the command has a terminal, and `stdout` gets all it writes.
    """

    stdin: int | None  # None: no input
    stdout: int
    stderr: int
    window: Window | None = None


@dataclass(frozen=True)
class Beside:
    """Namespaces to join: those of a running container of the same app.

    With capabilities the tools run as root in their own container, with nothing but these.
    """

    container_id: str
    capabilities: tuple[str, ...] = ()  # "SYS_PTRACE"


@dataclass(frozen=True)
class Usage:
    """What one container uses; counters since its start. Bytes and seconds."""

    at: float
    cpu: float
    memory: int
    memory_limit: int
    received: int
    sent: int
    read: int
    written: int
    pids: int


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket inside a container."""

    address: str  # "0.0.0.0", "127.0.0.1", "::", ...
    port: int


@dataclass(frozen=True)
class LogLine:
    """One line a process wrote, with the engine's time (seconds since the epoch)."""

    at: float
    process: str  # "web.1"
    text: str
    is_stderr: bool


class Scheduler(Protocol):
    """Starts, watches and removes the containers of one instance.

    Every method raises EngineUnavailable when the engine does not answer. Methods that take a
    container id are idempotent: an id that is gone is not an error.
    """

    def check(self) -> tuple[Finding, ...]:
        """Return the engine's part of `doctor`: reachable, version, runc, cgroups, LSM, ..."""

    def create_network(self, app: App) -> None:
        """Make the app's network if it is missing: own bridge, own subnet."""

    def create_shared(self, network: SharedNetwork) -> None:
        """Make a shared network if it is missing: no way out leads through it."""

    def remove_shared(self, network: SharedNetwork) -> None:
        """Remove a shared network. Raises Conflict while a container is on it."""

    def link(self, container_id: str, link: Link) -> None:
        """Put a container on a shared network, which is made if it is missing.

        It stays where it is if it is there already. Raises StartFailed when the engine refuses.
        """

    def unlink(self, app: App, network: SharedNetwork) -> None:
        """Take all containers of the app off a shared network."""

    def start(self, spec: ProcessSpec) -> str:
        """Create and start one hardened container; return its id.

        A container of the same name that was left by a crash is replaced. It does not survive a
        crash of its own until keep(): a failure at start must be seen, not restarted. Raises
        StartFailed when the engine refuses to create or start it, ImageMissing.
        """

    def keep(self, container_ids: Sequence[str]) -> None:
        """Let these containers come back after crashes, and after engine and host restarts."""

    def unkeep(self, container_ids: Sequence[str]) -> None:
        """Take keep() back: after its next end a process stays down until mend()."""

    def park(self, container_id: str, timeout: float) -> None:
        """Stop a process for good, but leave its container there: its log can be read."""

    def mend(self, container_id: str, name: str) -> bool:
        """Make a container run as start() left it: give its name back, unpause it, start it.

        A process that runs goes on. Returns False when that cannot be done, as with one that was
        removed: a new one has to be started.
        """

    def watch(self) -> Watch:
        """Open the stream of what happens to this instance's containers from now on."""

    def has_image(self, image_id: str) -> bool:
        """Return whether the engine has the image."""

    def stop(
        self,
        container_ids: Sequence[str],
        timeout: float,
        ended: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Send TERM to all at once, KILL after `timeout` seconds, and remove them.

        `ended` gets the id of each that has ended, before it is removed, in any thread.
        """

    def run_once(self, spec: ProcessSpec, output: Callable[[bytes], None], timeout: float) -> int:
        """Run one container to its end with the same walls; return its exit status; remove it."""

    def bake(
        self,
        spec: ProcessSpec,
        output: Callable[[bytes], None],
        timeout: float,
        made: Callable[[str], object],
    ) -> int:
        """As run_once(), but its files stay: on exit 0 `made` gets the id of an image with them.

        It runs as root without capabilities, on a writable root, with the same walls otherwise,
        and without volumes. The new image says of itself what the old one says, and nothing of the
        spec's config. It has no name: it is gone if `made` raises. Raises StartFailed, DiskFull,
        ImageMissing.
        """

    def inspect(self, container_id: str) -> Observed:
        """Return what is known of one container; state MISSING when it is gone."""

    def containers(self) -> tuple[Observed, ...]:
        """Return every container of this instance: to find what is missing and what is orphaned."""

    def listeners(self, container_id: str) -> tuple[Listener, ...]:
        """Return the TCP sockets that listen in the container (from /proc/<pid>/net/tcp*)."""

    def connections(self, container_id: str, port: int) -> int:
        """Return how many TCP connections to `port` are established in the container."""

    def tail(self, container_id: str, lines: int) -> tuple[str, ...]:
        """Return the last lines the container wrote, control characters removed."""

    def logs(
        self,
        containers: Mapping[str, str],
        lines: int | None,
        *,
        follow: bool,
        after: float = 0.0,
    ) -> Iterator[LogLine]:
        """Yield log lines of {container id: process name} in order of time; follow until closed.

        Those that are not later than `after` are left out.
        """

    def attach(
        self,
        spec: ProcessSpec,
        streams: Streams,
        created: Callable[[str], object],
        beside: Beside | None = None,
    ) -> int:
        """Run one container to its end with the caller's streams; return its exit status.

        `created` gets its id before it starts. However this ends, by a signal too, the container
        gets HUP if it still runs, is killed after a moment, and removed. `beside` starts the tools
        image in the namespaces of another container instead. Raises StartFailed, ImageMissing.
        """

    def exec(
        self,
        container_id: str,
        argv: Sequence[str],
        streams: Streams,
        environ: Mapping[str, str] = MappingProxyType({}),
    ) -> int:
        """Run a command in a running container as the app's user; return its exit status.

        However this ends, the command does not outlive it. Raises StartFailed when the container
        does not run.
        """

    def describe(self, container_id: str) -> Mapping[str, Any]:
        """Return all that the engine knows of a container, secrets included; {} when it is gone."""

    def top(self, container_id: str) -> tuple[tuple[str, ...], ...]:
        """Return the container's processes as a table, titles first; () when it does not run."""

    def usage(self, container_id: str) -> Usage | None:
        """Return what the container uses now; None when it does not run."""

    def destroy(self, app: App) -> None:
        """Remove the app's containers and its network."""

    def make_volume(self, name: str, size: int) -> None:
        """Make a file system of `size` bytes; nothing is left of one that fails.

        Raises Conflict if it is there, DiskFull, Unavailable.
        """

    def give_volume(self, name: str, app: App) -> None:
        """Make all files in a volume the app's."""

    def volume_usage(self, name: str) -> tuple[int, int]:
        """Return (bytes used, bytes usable); zeros for a volume that is not there."""

    def remove_volume(self, name: str) -> None:
        """Delete a volume and its files. Raises Conflict while a process uses it."""
