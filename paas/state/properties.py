"""Plain `topic:set app key [value]` properties."""

from collections.abc import Mapping

from paas.state.database import Database


class SqliteProperties:
    """See base.Properties."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, app: int | None, topic: str) -> Mapping[str, str]:
        rows = self._database.rows(
            "SELECT key, value FROM properties WHERE app_id IS ? AND topic = ? ORDER BY key",
            *(app, topic),
        )
        return {row["key"]: row["value"] for row in rows}

    def set(self, app: int | None, topic: str, key: str, value: str | None) -> None:
        with self._database.write():
            self._database.execute(
                "DELETE FROM properties WHERE app_id IS ? AND topic = ? AND key = ?",
                *(app, topic, key),
            )
            if value:
                self._database.execute(
                    "INSERT INTO properties VALUES (?, ?, ?, ?)", app, topic, key, value
                )
