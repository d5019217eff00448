"""Plain `topic:set app key [value]` properties."""

from collections.abc import Mapping

from paas.state.database import Database

# In the words of the index properties_by_key: `app_id IS ?` would read the properties of all apps.
OF_APP = "coalesce(app_id, 0) = coalesce(?, 0)"


class SqliteProperties:
    """See base.Properties."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, app: int | None, topic: str) -> Mapping[str, str]:
        rows = self._database.rows(
            f"SELECT key, value FROM properties WHERE {OF_APP} AND topic = ? ORDER BY key",  # noqa: S608 - constant
            *(app, topic),
        )
        return {row["key"]: row["value"] for row in rows}

    def set(self, app: int | None, topic: str, key: str, value: str | None) -> None:
        with self._database.write():
            self._database.execute(
                f"DELETE FROM properties WHERE {OF_APP} AND topic = ? AND key = ?",  # noqa: S608 - constant
                *(app, topic, key),
            )
            if value:
                self._database.execute(
                    "INSERT INTO properties VALUES (?, ?, ?, ?)", app, topic, key, value
                )
