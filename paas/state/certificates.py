"""The certificate of each app that has one."""

import json
import time

from paas.model import Certificate
from paas.state.database import Database


class SqliteCertificates:
    """See base.Certificates."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, app: int) -> Certificate | None:
        row = self._database.row("SELECT chain, key, names FROM certificates WHERE app_id = ?", app)
        if row is None:
            return None
        return Certificate(row["chain"], row["key"], tuple(json.loads(row["names"])))

    def set(self, app: int, certificate: Certificate) -> None:
        with self._database.write():
            self._database.execute(
                "INSERT OR REPLACE INTO certificates (app_id, chain, key, names, added_at)"
                " VALUES (?, ?, ?, ?, ?)",
                *(app, certificate.chain, certificate.key, json.dumps(certificate.names)),
                time.time(),
            )

    def remove(self, app: int) -> bool:
        with self._database.write():
            return bool(self._database.execute("DELETE FROM certificates WHERE app_id = ?", app))
