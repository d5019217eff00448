"""Domains added to apps; a domain belongs to at most one app."""

from collections.abc import Sequence

from paas.errors import Conflict, NotFound
from paas.model import domain_name
from paas.state.database import Database


class SqliteDomains:
    """See base.Domains. `default` is the domain whose subdomains are the apps' own."""

    def __init__(self, database: Database, default: str) -> None:
        self._database = database
        self._default = domain_name(default)

    def list(self, app: int) -> tuple[str, ...]:
        rows = self._database.rows("SELECT domain FROM domains WHERE app_id = ? ORDER BY id", app)
        return tuple(row["domain"] for row in rows)

    def change(self, app: int, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        adding = [domain_name(domain) for domain in add]
        removing = [domain_name(domain) for domain in remove]
        with self._database.write():
            for domain in removing:
                self._remove(app, domain)
            for domain in adding:
                self._add(app, domain)

    def _remove(self, app: int, domain: str) -> None:
        sql = "DELETE FROM domains WHERE app_id = ? AND domain = ?"
        if not self._database.execute(sql, app, domain):
            raise NotFound(
                f"{domain} is not a domain that was added to the app",
                hint="See domains:report APP.",
            )

    def _add(self, app: int, domain: str) -> None:
        self._refuse_foreign_default(app, domain)
        row = self._database.row("SELECT app_id FROM domains WHERE domain = ?", domain)
        if row is None:
            self._database.execute(
                "INSERT INTO domains (app_id, domain) VALUES (?, ?)", app, domain
            )
        elif row["app_id"] != app:  # whose it is may be nobody's business
            raise Conflict(
                f"{domain} belongs to another app",
                hint="Remove it there first: domains:remove APP DOMAIN",
            )

    def _refuse_foreign_default(self, app: int, domain: str) -> None:
        """Keep `<name>.<default>` for the app of that name, even if it does not exist yet."""
        if not domain.endswith(f".{self._default}"):
            return
        row = self._database.row("SELECT name FROM apps WHERE id = ?", app)
        if row is None or domain != f"{row['name']}.{self._default}":
            raise Conflict(
                f"Names under {self._default} belong to the apps of those names",
                hint="Create an app of that name, or use another domain.",
            )
