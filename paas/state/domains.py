"""Domains added to apps; a domain belongs to at most one app."""

from collections.abc import Sequence

from paas.errors import Conflict, NotFound
from paas.model import domain_name, domain_patterns
from paas.state.database import Database


class SqliteDomains:
    """See base.Domains. `default` is the global domain unless others were set (paas.vhosts)."""

    def __init__(self, database: Database, default: str) -> None:
        self._database = database
        self._default = domain_name(default)

    def list(self, app: int) -> tuple[str, ...]:
        rows = self._database.rows("SELECT domain FROM domains WHERE app_id = ? ORDER BY id", app)
        return tuple(row["domain"] for row in rows)

    def change(self, app: int, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        adding = [name for domain in add for name in domain_patterns(domain)]
        removing = [name for domain in remove for name in domain_patterns(domain)]
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
        rows = self._database.rows("SELECT app_id, domain FROM domains")
        if any(row["app_id"] != app and _overlap(row["domain"], domain) for row in rows):
            raise Conflict(  # whose it is may be nobody's business
                f"{domain} belongs to another app, or covers a domain that does",
                hint="Remove it there first: domains:remove APP DOMAIN",
            )
        if all(row["domain"] != domain for row in rows):
            self._database.execute(
                "INSERT INTO domains (app_id, domain) VALUES (?, ?)", app, domain
            )

    def _refuse_foreign_default(self, app: int, domain: str) -> None:
        """Keep `<name>.<global>` for the app of that name, even if it does not exist yet."""
        row = self._database.row("SELECT name FROM apps WHERE id = ?", app)
        for default in self._globals():
            is_own = row is not None and domain == f"{row['name']}.{default}"
            if not is_own and _overlap(f"*.{default}", domain):
                raise Conflict(
                    f"Names under {default} belong to the apps of those names",
                    hint="Create an app of that name, or use another domain.",
                )

    def _globals(self) -> tuple[str, ...]:
        row = self._database.row(
            "SELECT value FROM properties WHERE app_id IS NULL AND topic = 'domains'"
            " AND key = 'global'"
        )
        return tuple(row["value"].split()) if row else (self._default,)


def _overlap(one: str, other: str) -> bool:
    """Whether a host name could match both; `*.x` matches all names below x."""
    pairs = ((one, other), (other, one))
    return one == other or any(w.startswith("*") and name.endswith(w[1:]) for w, name in pairs)
