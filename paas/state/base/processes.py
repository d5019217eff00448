"""What runs, and what it needs beside an image."""

from collections.abc import Sequence
from typing import Protocol

from paas.model import (
    App,
    Container,
    ContainerRole,
)
from paas.network import Attachment, Phase, SharedNetwork
from paas.tasks import CronJob, Errand, Run
from paas.volume import Mount, Volume


class Containers(Protocol):
    """Containers that the database knows, and their fixed addresses."""

    def reserve(self, app: App, deploy: int, process_type: str, slot: int, port: int) -> Container:
        """Give the process a free address of the app's subnet: role STARTING, id "".

        Asking again for the same deploy, type and slot returns the same row. Raises Conflict when
        the subnet is full.
        """

    def started(self, container: Container, container_id: str) -> Container:
        """Record the engine's id for a reserved row (or a new one for a restarted process)."""

    def of(self, app: int, role: ContainerRole | None = None) -> tuple[Container, ...]:
        """Return the app's containers, by process type and slot."""

    def list(self) -> tuple[Container, ...]:
        """Return all containers of the instance."""

    def current_to_draining(self, app: int) -> tuple[Container, ...]:
        """Mark the current containers as draining (ps:stop); return them."""

    def forget(self, container: Container) -> None:
        """Delete the row; the container is gone."""


class Runs(Protocol):
    """One-off containers and what came of them; the newest 50 that are over are kept per app."""

    def begin(self, app: App, errand: Errand, version: int, *, has_address: bool) -> Run:
        """Reserve a number, and an address; it ends with the calling process.

        Raises Conflict when too many run at once, and when a schedule's minute has begun already.
        """

    def skip(self, app: int, errand: Errand, version: int, why: str) -> None:
        """Note that a schedule's minute came and nothing was begun. A second time is no error."""

    def started(self, run: Run, container_id: str, *, alone: bool = False) -> Run:
        """Store the engine's id; `alone` says that it runs on when the calling process ends.

        Raises NotFound if it is not wanted any more.
        """

    def explain(self, run: Run, why: str) -> None:
        """Say beforehand why somebody ends it, the first of them; it is not started any more."""

    def spare(self, run: Run) -> None:
        """Take that back, because it could not be ended."""

    def end(self, run: Run, status: int | None, error: str = "", output: str = "") -> str:
        """Say that it is over, once; a job of cron that failed becomes a notice and a line.

        Return why it did not end by itself: what was explained goes before `error`.
        """

    def open(self, app: int | None = None) -> tuple[Run, ...]:
        """Return what is not over yet, of one app or of all."""

    def list(self, app: int, job: str | None = None) -> tuple[Run, ...]:
        """Return what is known, the newest first, of all kinds or of one job of cron."""

    def get(self, app: int, run: int) -> Run:
        """Return one. Raises NotFound."""

    def output(self, run: Run) -> str:
        """Return the last lines of one that is over, each with its time in front."""


class CronJobs(Protocol):
    """The jobs of apps, from their current releases' manifests and from cron:add."""

    def of(self, app: int) -> tuple[CronJob, ...]:
        """Return the app's jobs: those of app.json first."""

    def list(self) -> tuple[CronJob, ...]:
        """Return the jobs of all apps that are meant to run."""

    def add(self, app: int, job: CronJob) -> None:
        """Store a job. Raises Conflict if there is such a one."""

    def remove(self, app: int, job: str) -> None:
        """Forget a job that was added. Raises NotFound."""


class Storage(Protocol):
    """Named volumes, and where the apps' processes see them."""

    def create(self, name: str, size: int) -> Volume:
        """Note a volume. Raises Conflict if the name is taken, InvalidName."""

    def find(self, name: str) -> Volume | None:
        """Return the volume or None."""

    def list(self) -> tuple[Volume, ...]:
        """Return all volumes, by name."""

    def destroy(self, name: str) -> None:
        """Forget a volume. Raises Conflict while it is mounted."""

    def mount(self, mount: Mount) -> None:
        """Note a mount; the volume is the app's from now on.

        Raises NotFound, and Conflict if it is another app's or if the place is taken.
        """

    def unmount(self, app: int, volume: str, directory: str | None) -> int:
        """Forget an app's mounts of a volume, at one place or at all; return how many."""

    def mounts(self, app: int | None = None, volume: str | None = None) -> tuple[Mount, ...]:
        """Return the mounts of an app, of a volume, or all."""


class Networks(Protocol):
    """Networks that apps share; see paas.networks."""

    def create(self, name: str, owner: str | None) -> SharedNetwork:
        """Note a network. Raises Conflict if the name or every subnet is taken, InvalidName."""

    def find(self, name: str) -> SharedNetwork | None:
        """Return the network or None."""

    def list(self) -> tuple[SharedNetwork, ...]:
        """Return all networks, by name."""

    def destroy(self, network: int) -> None:
        """Forget a network. Raises Conflict while an app is attached."""

    def attachments(
        self, app: int | None = None, network: int | None = None
    ) -> tuple[Attachment, ...]:
        """Return the attachments of an app, of a network, or all, by the network's name."""

    def attach(self, app: int, phase: Phase, networks: Sequence[int]) -> None:
        """Make these the app's networks of a phase, in place of those it had.

        Raises NotFound, and Conflict if one is the app's in another phase.
        """

    def seat(self, container: Container, network: SharedNetwork) -> str:
        """Return the container's fixed address on a network; it stays until the row is forgotten.

        Raises NotFound if there is no such row, Conflict if all addresses are taken.
        """
