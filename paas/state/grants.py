"""Which apps an actor sees, and with what role: one query each."""

import sqlite3
from collections.abc import Mapping, Sequence

from paas.errors import NotFound
from paas.model import Actor, App, Role
from paas.state.apps import app_from, missing_app, nearest_name
from paas.state.database import Database

APPS = "FROM apps LEFT JOIN releases ON releases.id = apps.release_id"
COLUMNS = "SELECT apps.*, releases.version"


class SqliteGrants:
    """See base.Grants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, actor: Actor, name: str) -> tuple[App, Role]:
        # No app has another name, and SQLite takes no lone surrogates.
        rows = self._visible(actor, "AND apps.name = ?", name) if name.isascii() else []
        if not rows:
            raise missing_app(name, [app.name for app, _ in self.list(actor)])
        return _granted(rows[0])

    def list(self, actor: Actor) -> tuple[tuple[App, Role], ...]:
        return tuple(map(_granted, self._visible(actor, "ORDER BY apps.name")))

    def nearest(self, actor: Actor, name: str) -> str | None:
        return nearest_name(name, [app.name for app, _ in self.list(actor)])

    def of_app(self, app: int) -> Mapping[str, Role]:
        rows = self._database.rows(
            "SELECT user, role FROM grants WHERE app_id = ? ORDER BY user", app
        )
        return {row["user"]: Role(row["role"]) for row in rows}

    def of_user(self, user: str) -> Mapping[str, Role]:
        rows = self._database.rows(
            "SELECT apps.name, role FROM grants JOIN apps ON apps.id = app_id WHERE user = ?"
            " ORDER BY apps.name",
            user,
        )
        return {row["name"]: Role(row["role"]) for row in rows}

    def set(self, app: int, user: str, role: Role) -> None:
        with self._database.write():
            if not self._database.row("SELECT 1 FROM users WHERE name = ?", user):
                raise NotFound(f"There is no user {user!r}", hint="An admin adds users: users:add")
            self._database.execute(
                "INSERT OR REPLACE INTO grants (user, app_id, role) VALUES (?, ?, ?)",
                *(user, app, role),
            )

    def remove(self, app: int, user: str) -> None:
        with self._database.write():
            sql = "DELETE FROM grants WHERE app_id = ? AND user = ?"
            if not self._database.execute(sql, app, user):
                raise NotFound(f"{user!r} has no role there", hint="access:list APP shows who has.")

    def _visible(self, actor: Actor, rest: str, *values: object) -> Sequence[sqlite3.Row]:
        """Return the rows of apps that the actor sees, with a column `role`."""
        if actor.sees_all:
            return self._database.rows(f"{COLUMNS}, 'owner' AS role {APPS} WHERE 1 {rest}", *values)
        if actor.token:
            return self._database.rows(
                f"{COLUMNS}, 'deployer' AS role {APPS} WHERE apps.id = ? {rest}",
                *(actor.token.app_id, *values),
            )
        return self._database.rows(
            f"{COLUMNS}, grants.role {APPS} JOIN grants ON grants.app_id = apps.id"
            f" WHERE grants.user = ? {rest}",
            *(actor.name, *values),
        )


def _granted(row: sqlite3.Row) -> tuple[App, Role]:
    return app_from(row), Role(row["role"])
