"""Notices on their way out. They are queued in the transaction that makes them true."""

import json
import time
from collections.abc import Sequence

from paas.model import Notice
from paas.state.database import Database
from paas.state.events import write_event

TOPIC = "notify"  # of the properties: the URL of an app, or of all apps
URL = "url"


class SqliteNotices:
    """See base.Notices."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, now: float, limit: int) -> Sequence[Notice]:
        rows = self._database.rows(
            f"SELECT notices.*, {_url('notices.app_id')} AS url FROM notices WHERE due <= ?"  # noqa: S608 - constant
            " ORDER BY id LIMIT ?",
            *(now, limit),
        )
        return tuple(
            Notice(row["id"], row["url"] or "", row["body"], row["attempts"]) for row in rows
        )

    def is_due(self, now: float) -> bool:
        return self._database.row("SELECT 1 FROM notices WHERE due <= ? LIMIT 1", now) is not None

    def done(self, notice: int) -> None:
        with self._database.write():
            self._database.execute("DELETE FROM notices WHERE id = ?", notice)

    def retry(self, notice: int, due: float, error: str) -> None:
        with self._database.write():
            self._database.execute(
                "UPDATE notices SET due = ?, error = ?, attempts = attempts + 1 WHERE id = ?",
                *(due, error, notice),
            )

    def explain(self, notice: int, error: str) -> None:
        with self._database.write():
            self._database.execute("UPDATE notices SET error = ? WHERE id = ?", error, notice)

    def waiting(self) -> tuple[int, str]:
        row = self._database.row(
            "SELECT count(*), coalesce((SELECT error FROM notices WHERE error <> ''"
            " ORDER BY id DESC LIMIT 1), '') FROM notices"
        )
        assert row is not None  # noqa: S101 - for the type checker: an aggregate gives a row
        return int(row[0]), str(row[1])


def queue_notice(database: Database, app: int, event: str, **details: object) -> None:
    """Write the event down, and queue a notice if somebody wants it, inside a write().

    `details` that are None are left out.

    Where it goes is looked up when it is sent: who clears the URL wants no more of them.
    """
    row = database.row(f"SELECT name, {_url('apps.id')} AS url FROM apps WHERE id = ?", app)  # noqa: S608 - constant
    if row is None:
        return
    about = {key: value for key, value in details.items() if key != "process"}
    write_event(database, row["name"], event, str(details.get("process") or ""), **about)
    if row["url"] is None:
        return
    now = time.time()
    told = {key: value for key, value in details.items() if value not in {None, ""}}
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    body = json.dumps({"event": event, "app": row["name"], "at": at, **told})
    database.execute("INSERT INTO notices (app_id, body, due) VALUES (?, ?, ?)", app, body, now)


def _url(app: str) -> str:
    """Return SQL for the app's own URL, else the one of all apps, else NULL."""
    return (
        f"(SELECT value FROM properties WHERE topic = '{TOPIC}' AND key = '{URL}'"  # noqa: S608 - constants
        f" AND (app_id = {app} OR app_id IS NULL) ORDER BY app_id IS NULL LIMIT 1)"
    )
