"""The audit log: every command, written when it begins and completed when it ends."""

import sqlite3
from collections.abc import Iterator

from paas.model import AuditEntry
from paas.state.database import Database

KEPT = 20_000  # lines per actor, so that nobody pushes out what others did
SWEEP = 64  # lines between two looks for those beyond it
BLOCK = 500
INSERT = """INSERT INTO audit (at, actor, door, fingerprint, verb, app, about, status, seconds)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id"""
FILTER = """SELECT * FROM audit WHERE id < ?1 AND at >= ?2 AND actor = coalesce(?3, actor)
            AND (?4 IS NULL OR app = ?4) ORDER BY id DESC LIMIT ?5"""


class SqliteAudit:
    """See base.Audit. Nothing here changes a line that is complete."""

    def __init__(self, database: Database, kept: int = KEPT) -> None:
        self._database = database
        self._kept = kept

    def add(self, entry: AuditEntry) -> int:
        with self._database.write(durable=False):
            row = self._database.row(
                INSERT,
                *(entry.at, entry.actor, entry.door, entry.fingerprint, entry.verb),
                *(entry.app, entry.about, entry.status, entry.seconds),
            )
            number = int(row["id"]) if row else 0
            if number % SWEEP == 0:
                self._drop_oldest(entry.actor)
        return number

    def end(self, number: int, entry: AuditEntry) -> None:
        with self._database.write(durable=False):
            is_there = self._database.execute(
                "UPDATE audit SET status = ?, seconds = ?"
                " WHERE id = ? AND at = ? AND status IS NULL",
                *(entry.status, entry.seconds, number, entry.at),
            )
        if not is_there:
            self.add(entry)

    def read(
        self, limit: int, since: float = 0.0, actor: str | None = None, app: str | None = None
    ) -> Iterator[AuditEntry]:
        before = 2**62
        while limit > 0:
            rows = self._database.rows(FILTER, before, since, actor, app, min(limit, BLOCK))
            yield from map(_entry, rows)
            if len(rows) < min(limit, BLOCK):
                return
            before, limit = rows[-1]["id"], limit - len(rows)

    def _drop_oldest(self, actor: str) -> None:
        self._database.execute(
            "DELETE FROM audit WHERE actor = ?1 AND id <= (SELECT id FROM audit WHERE actor = ?1"
            " ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            *(actor, self._kept),
        )


def _entry(row: sqlite3.Row) -> AuditEntry:
    return AuditEntry(
        at=row["at"],
        actor=row["actor"],
        door=row["door"],
        fingerprint=row["fingerprint"],
        verb=row["verb"],
        app=row["app"],
        about=row["about"],
        status=row["status"],
        seconds=row["seconds"],
    )
