"""The seam to whatever runs containers. A scheduler decides nothing: it starts what it is told."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from paas.model import App, Finding
from paas.network import Link, SharedNetwork
from paas.schedulers.base.events import Watch
from paas.schedulers.base.observed import Exit, Listener, LogLine, Observed, Usage
from paas.schedulers.base.process import ProcessSpec
from paas.schedulers.base.streams import Beside, Streams


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

    def stop(
        self,
        container_ids: Sequence[str],
        timeout: float,
        ended: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Send TERM to all at once, KILL after `timeout` seconds, and remove them.

        `ended` gets the id of each that has ended, before it is removed, in any thread.
        """

    def run_once(self, spec: ProcessSpec, output: Callable[[bytes], None], timeout: float) -> Exit:
        """Run one container to its end with the same walls; return how it ended; remove it."""

    def bake(
        self,
        spec: ProcessSpec,
        output: Callable[[bytes], None],
        timeout: float,
        made: Callable[[str], object],
    ) -> Exit:
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
    ) -> Exit:
        """Run one container to its end with the caller's streams; return how it ended.

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

    def host_user(self, app: App) -> int:
        """Return the user of the host as which the app's processes run."""

    def volume_usage(self, name: str) -> tuple[int, int]:
        """Return (bytes used, bytes usable); zeros for a volume that is not there."""

    def remove_volume(self, name: str) -> None:
        """Delete a volume and its files. Raises Conflict while a process uses it."""
