"""What happened to apps, and on the instance: written in the transaction that makes it true."""

import json
import sqlite3
import time
from collections.abc import Collection, Sequence

from paas.model import App, AppEvent
from paas.state.bell import Bell, Ear
from paas.state.database import Database

KEPT = 10_000  # events of all apps together


class SqliteEvents:
    """See base.Events."""

    def __init__(self, database: Database, bell: Bell) -> None:
        self._database = database
        self._bell = bell

    def add(self, events: Sequence[AppEvent]) -> None:
        if not events:
            return
        with self._database.write():
            for event in events:
                write_event(
                    self._database, event.app, event.kind, event.process, **dict(event.details)
                )

    def read(
        self, limit: int, after: int = 0, apps: Collection[str] | None = None
    ) -> Sequence[AppEvent]:
        wanted = "" if apps is None else "AND app IN (SELECT value FROM json_each(?))"
        rows = self._database.rows(
            f"SELECT * FROM events WHERE id > ? {wanted} ORDER BY id DESC LIMIT ?",  # noqa: S608 - constant
            *((after, limit) if apps is None else (after, json.dumps(sorted(apps)), limit)),
        )
        return tuple(_event(row) for row in reversed(rows))

    def listen(self) -> Ear:
        return self._bell.listen()

    def ring(self) -> None:
        self._bell.ring()


def write_event(
    database: Database, app: str | int, kind: str, process: str = "", **details: object
) -> None:
    """Write an event down, inside a write(); the oldest beyond KEPT go.

    `app` is a name or an id, "" for what concerns no app. Details that are empty are left out.
    """
    if isinstance(app, int):
        row = database.row("SELECT name FROM apps WHERE id = ?", app)
        if row is None:
            return
        app = str(row["name"])
    told = {key: value for key, value in details.items() if value not in (None, "")}
    database.execute(
        "INSERT INTO events (at, app, kind, process, details) VALUES (?, ?, ?, ?, ?)",
        *(time.time(), app, kind, process, json.dumps(told)),
    )
    database.execute("DELETE FROM events WHERE id <= (SELECT max(id) FROM events) - ?", KEPT)


def rename_events(database: Database, app: App, name: str) -> None:
    """Let an app's events follow it to its new name, inside a write().

    Those of an earlier app of that name are admins' business from now on: whoever calls an old app
    so must not read them.
    """
    database.execute(
        "UPDATE events SET app = '', details = json_set(details, '$.app', app) WHERE app = ?", name
    )
    database.execute(
        "UPDATE events SET app = ? WHERE app = ? AND at >= ?", name, app.name, app.created_at
    )


def _event(row: sqlite3.Row) -> AppEvent:
    details = json.loads(row["details"])
    return AppEvent(row["app"], row["kind"], row["process"], details, row["id"], row["at"])
