"""Containers that the database knows, and their fixed addresses."""

import sqlite3
import time
from collections.abc import Sequence

from paas.errors import Conflict, NotFound
from paas.model import App, Container, ContainerRole
from paas.settings import Settings
from paas.state.database import Database

ORDER = "ORDER BY app_id, process_type, slot, id"


class SqliteContainers:
    """See base.Containers."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def reserve(self, app: App, deploy: int, process_type: str, slot: int, port: int) -> Container:
        with self._database.write():
            row = self._database.row(
                "SELECT * FROM containers WHERE deploy_id = ? AND process_type = ? AND slot = ?",
                *(deploy, process_type, slot),
            ) or self._database.row(
                "INSERT INTO containers (app_id, deploy_id, process_type, slot, address, port,"
                " role, created_at) VALUES (?, ?, ?, ?, ?, ?, 'starting', ?) RETURNING *",
                *(
                    app.id,
                    deploy,
                    process_type,
                    slot,
                    free_address(self._database, self._settings, app),
                    port,
                    time.time(),
                ),
            )
            assert row is not None  # noqa: S101 - for the type checker: RETURNING gives a row
            return _container(row)

    def started(self, container: Container, container_id: str) -> Container:
        with self._database.write():
            row = self._database.row(
                "UPDATE containers SET engine_id = ?"
                " WHERE deploy_id = ? AND process_type = ? AND slot = ? RETURNING *",
                *(container_id, *_key(container)),
            )
        if row is None:
            raise NotFound(f"{container.process} is not wanted any more", hint="See ps:report APP.")
        return _container(row)

    def of(self, app: int, role: ContainerRole | None = None) -> tuple[Container, ...]:
        sql = f"SELECT * FROM containers WHERE app_id = ? AND (role = ? OR ? IS NULL) {ORDER}"  # noqa: S608 - constant
        return tuple(_container(row) for row in self._database.rows(sql, app, role, role))

    def list(self) -> tuple[Container, ...]:
        rows = self._database.rows(f"SELECT * FROM containers {ORDER}")  # noqa: S608 - constant
        return tuple(_container(row) for row in rows)

    def current_to_draining(self, app: int) -> tuple[Container, ...]:
        with self._database.write():
            rows = self._database.rows(
                "UPDATE containers SET role = 'draining'"
                " WHERE app_id = ? AND role = 'current' RETURNING *",
                app,
            )
        return tuple(_container(row) for row in rows)

    def forget(self, container: Container) -> None:
        with self._database.write():
            self._database.execute(
                "DELETE FROM containers WHERE deploy_id = ? AND process_type = ? AND slot = ?",
                *_key(container),
            )


def free_address(database: Database, settings: Settings, app: App) -> str:
    """Return the first free host address, inside a write(); the first of all is the bridge's own.

    Processes and one-off containers share the app's addresses. Raises Conflict.
    """
    rows = database.rows(
        "SELECT address FROM containers WHERE app_id = ?1"
        " UNION SELECT address FROM runs WHERE app_id = ?1 AND address IS NOT NULL",
        app.id,
    )
    taken = {row["address"] for row in rows}
    _gateway, *hosts = settings.subnet(app.network_index).hosts()
    free = next((str(host) for host in hosts if str(host) not in taken), None)
    if free is None:
        raise Conflict(
            f"All {len(hosts)} addresses of {app.name} are taken",
            hint=f"Wait until old processes have ended, or run fewer: ps:report {app.name}",
        )
    return free


def make_current(database: Database, app: int, containers: Sequence[Container]) -> None:
    """Make these CURRENT and all others of the app DRAINING, inside a write()."""
    database.execute("UPDATE containers SET role = 'draining' WHERE app_id = ?", app)
    for container in containers:
        changed = database.execute(
            "UPDATE containers SET role = 'current' WHERE app_id = ?"
            " AND deploy_id = ? AND process_type = ? AND slot = ?",
            *(app, *_key(container)),
        )
        if not changed:
            raise NotFound(f"{container.process} was never reserved", hint="Try again.")


def read_roles(database: Database, app: int) -> list[tuple[int, str]]:
    """Return (row id, role) of the app's containers."""
    rows = database.rows("SELECT id, role FROM containers WHERE app_id = ?", app)
    return [(row["id"], row["role"]) for row in rows]


def restore_roles(database: Database, roles: Sequence[tuple[int, str]]) -> None:
    """Put back what read_roles() returned, for rows that are still there, inside a write()."""
    for row_id, role in roles:
        database.execute("UPDATE containers SET role = ? WHERE id = ?", role, row_id)


def _key(container: Container) -> tuple[int, str, int]:
    return container.deploy_id, container.process_type, container.slot


def _container(row: sqlite3.Row) -> Container:
    return Container(
        id=row["engine_id"],
        app_id=row["app_id"],
        deploy_id=row["deploy_id"],
        process_type=row["process_type"],
        slot=row["slot"],
        address=row["address"],
        port=row["port"],
        role=ContainerRole(row["role"]),
        created_at=row["created_at"],
        trouble=row["trouble"],
        due=row["due"],
        is_parked=bool(row["parked"]),
    )
