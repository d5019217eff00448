"""What befell current processes, and what paas does about it; it outlives the daemon."""

import sqlite3
from collections.abc import Sequence

from paas.model import Container, End, EndKind
from paas.state.database import Database
from paas.state.journal import write_line
from paas.state.notices import queue_notice

WINDOW = 600.0  # seconds for which an end counts


class SqliteRecovery:
    """See base.Recovery."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, container: Container, end: End) -> bool:
        with self._database.write():
            row = self._row(container)
            if row is None:
                return False
            self._database.execute(
                "DELETE FROM ends WHERE container_id = ? AND at < ?", row["id"], end.at - WINDOW
            )
            return bool(
                self._database.execute(
                    "INSERT OR IGNORE INTO ends (container_id, ended, at, kind)"
                    " VALUES (?, ?, ?, ?)",
                    *(row["id"], end.ended, end.at, end.kind),
                )
            )

    def ends(self, container: Container, now: float) -> Sequence[End]:
        row = self._row(container)
        rows = self._database.rows(
            "SELECT * FROM ends WHERE container_id = ? AND at > ? ORDER BY at",
            *(row and row["id"], now - WINDOW),
        )
        return tuple(End(EndKind(each["kind"]), each["ended"], each["at"]) for each in rows)

    def trouble(
        self, container: Container, why: str, due: float, *, is_parked: bool = False
    ) -> None:
        with self._database.write():
            before = self._row(container)
            if before is None:
                return
            self._database.execute(
                "UPDATE containers SET trouble = ?, due = ?, parked = ? WHERE id = ?",
                *(why, due, is_parked, before["id"]),
            )
            if why != before["trouble"]:
                write_line(self._database, container.app_id, f"{container.process} {why}")
            if not before["trouble"] or (is_parked and not before["parked"]):
                self._tell(container, "crashed", why, is_parked=is_parked)

    def well(self, container: Container) -> None:
        with self._database.write():
            before = self._row(container)
            if before is None or not before["trouble"]:
                return
            self._database.execute(
                "UPDATE containers SET trouble = '', due = 0, parked = 0 WHERE id = ?", before["id"]
            )
            write_line(self._database, container.app_id, f"{container.process} is well again")
            self._tell(container, "recovered", "it is well again")

    def _row(self, container: Container) -> sqlite3.Row | None:
        return self._database.row(
            "SELECT * FROM containers WHERE deploy_id = ? AND process_type = ? AND slot = ?",
            *(container.deploy_id, container.process_type, container.slot),
        )

    def _tell(
        self, container: Container, event: str, why: str, *, is_parked: bool | None = None
    ) -> None:
        details = {"process": container.process, "reason": why, "parked": is_parked}
        queue_notice(self._database, container.app_id, event, **details)


def tell_replaced(database: Database, app: int) -> None:
    """Tell that processes in trouble have been replaced, inside a write()."""
    rows = database.rows(
        "SELECT process_type, slot FROM containers"
        " WHERE app_id = ? AND role = 'draining' AND trouble <> '' ORDER BY process_type, slot",
        app,
    )
    for row in rows:
        process = f"{row['process_type']}.{row['slot']}"
        queue_notice(database, app, "recovered", process=process, reason="it was replaced")
    database.execute(
        "UPDATE containers SET trouble = '', due = 0, parked = 0"
        " WHERE app_id = ? AND role = 'draining'",
        app,
    )
