"""The database of one instance: one object per topic over one connection."""

from pathlib import Path

from paas.model import Finding
from paas.settings import Settings
from paas.state.adoption import SqliteAdoption
from paas.state.apps import SqliteApps
from paas.state.audit import SqliteAudit
from paas.state.bell import Bell
from paas.state.certificates import SqliteCertificates
from paas.state.config import SqliteConfig
from paas.state.containers import SqliteContainers
from paas.state.cron import SqliteCronJobs
from paas.state.database import Database
from paas.state.deploys import SqliteDeploys
from paas.state.domains import SqliteDomains
from paas.state.events import SqliteEvents
from paas.state.formation import SqliteFormation
from paas.state.grants import SqliteGrants
from paas.state.journal import SqliteJournal
from paas.state.keys import SqliteKeys
from paas.state.networks import SqliteNetworks
from paas.state.notices import SqliteNotices
from paas.state.properties import SqliteProperties
from paas.state.recovery import SqliteRecovery
from paas.state.releases import SqliteReleases
from paas.state.runs import SqliteRuns
from paas.state.security import SqliteSecurity
from paas.state.storage import SqliteStorage
from paas.state.tokens import SqliteTokens
from paas.state.users import SqliteUsers


class SqliteStore:
    """See base.Store. Connects on first use, and again in a forked child."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        bell = Bell(settings.run / "bell")
        self._database = Database(settings.database, bell.ring)
        self.apps = SqliteApps(self._database)
        self.config = SqliteConfig(self._database)
        self.domains = SqliteDomains(self._database, settings.domain)
        self.releases = SqliteReleases(self._database)
        self.deploys = SqliteDeploys(self._database)
        self.containers = SqliteContainers(self._database, settings)
        self.keys = SqliteKeys(self._database)
        self.users = SqliteUsers(self._database)
        self.grants = SqliteGrants(self._database)
        self.storage = SqliteStorage(self._database)
        self.networks = SqliteNetworks(self._database, settings)
        self.tokens = SqliteTokens(self._database)
        self.audit = SqliteAudit(self._database)
        self.formation = SqliteFormation(self._database)
        self.security = SqliteSecurity(self._database)
        self.properties = SqliteProperties(self._database)
        self.recovery = SqliteRecovery(self._database)
        self.journal = SqliteJournal(self._database)
        self.events = SqliteEvents(self._database, bell)
        self.notices = SqliteNotices(self._database)
        self.runs = SqliteRuns(self._database, settings)
        self.cron = SqliteCronJobs(self._database)
        self.certificates = SqliteCertificates(self._database)

    def make(self) -> None:
        """Make the database, if it is not there; setup alone does."""
        self._database.make()

    def require_known(self) -> None:
        """Raise Outdated when a newer paas has moved the database forward."""
        self._database.require_known()

    def check(self) -> tuple[Finding, ...]:
        """Return the database's part of `doctor`."""
        return self._database.check()

    def snapshot(self, path: Path) -> int:
        """Write a whole copy of the database; return its schema's number."""
        return self._database.snapshot(path)

    def adopt(self, file: Path, network: str) -> SqliteAdoption:
        """Check a snapshot of another instance, and make it fit for this one."""
        return SqliteAdoption(self._database, self._settings, file, network)

    def close(self) -> None:
        """Close the connection; the next use opens a new one."""
        self._database.close()
