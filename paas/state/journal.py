"""What paas itself has to say among an app's log lines."""

import time
from collections.abc import Sequence

from paas.model import JournalLine
from paas.state.database import Database

KEPT = 500  # lines per app


class SqliteJournal:
    """See base.Journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, app: int, text: str) -> None:
        with self._database.write():
            write_line(self._database, app, text)

    def read(self, app: int, lines: int, after: int = 0) -> Sequence[JournalLine]:
        rows = self._database.rows(
            "SELECT id, at, text FROM journal WHERE app_id = ? AND id > ? ORDER BY id DESC LIMIT ?",
            *(app, after, lines),
        )
        return tuple(JournalLine(row["id"], row["at"], row["text"]) for row in reversed(rows))


def write_line(database: Database, app: int, text: str) -> None:
    """Add a line and drop the oldest ones, inside a write()."""
    database.execute(
        "INSERT INTO journal (app_id, at, text) VALUES (?, ?, ?)", app, time.time(), text
    )
    database.execute(
        "DELETE FROM journal WHERE app_id = ?1 AND id <="
        " (SELECT id FROM journal WHERE app_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        *(app, KEPT),
    )
