"""The whole database."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from paas.model import (
    App,
    Finding,
)
from paas.state.base.apps import (
    Apps,
    Certificates,
    Config,
    Domains,
    Formation,
    Properties,
    Security,
)
from paas.state.base.people import Audit, Grants, Keys, Tokens, Users
from paas.state.base.processes import Containers, CronJobs, Networks, Runs, Storage
from paas.state.base.releases import Deploys, Recovery, Releases
from paas.state.base.reports import Events, Journal, Notices


class Adoption(Protocol):
    """A database from a backup, checked and made fit for this instance; nothing is replaced yet."""

    @property
    def apps(self) -> tuple[App, ...]:
        """Its apps."""

    @property
    def images(self) -> Mapping[int, frozenset[str]]:
        """The images of their releases: {app id: image ids}."""

    def commit(self) -> None:
        """Put it in the place of this instance's database. Raises Conflict if that has apps."""


class Store(Protocol):
    """The database of one instance. Connects on first use, so that it can be made before a fork."""

    @property
    def apps(self) -> Apps: ...
    @property
    def networks(self) -> Networks: ...
    @property
    def config(self) -> Config: ...
    @property
    def domains(self) -> Domains: ...
    @property
    def releases(self) -> Releases: ...
    @property
    def deploys(self) -> Deploys: ...
    @property
    def containers(self) -> Containers: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def users(self) -> Users: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def formation(self) -> Formation: ...
    @property
    def security(self) -> Security: ...
    @property
    def storage(self) -> Storage: ...
    @property
    def properties(self) -> Properties: ...
    @property
    def recovery(self) -> Recovery: ...
    @property
    def journal(self) -> Journal: ...
    @property
    def events(self) -> Events: ...
    @property
    def notices(self) -> Notices: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def cron(self) -> CronJobs: ...
    @property
    def certificates(self) -> Certificates: ...

    def make(self) -> None:
        """Make the database, if it is not there. Setup alone does: others are refused without."""

    def require_known(self) -> None:
        """Raise Outdated when a newer paas has moved the database forward."""

    def check(self) -> tuple[Finding, ...]:
        """Return the database's part of `doctor`."""

    def snapshot(self, path: Path) -> int:
        """Write a copy that is whole, while others write on; return its schema's number."""

    def adopt(self, file: Path, network: str) -> Adoption:
        """Check a snapshot, which may be of another instance, and make it fit for this one.

        `network` is the range of addresses of the instance that it comes from. Raises PaasError
        for a file that is damaged, or of a newer paas.
        """

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
