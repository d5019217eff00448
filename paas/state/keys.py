"""Ssh keys of users, and all keys that open the doors."""

import sqlite3
import time

from paas.errors import Conflict, NotFound
from paas.model import SshKey
from paas.state.database import Database
from paas.state.events import write_event
from paas.state.users import insert_user

AUTHORIZED = """SELECT name, user, type, blob, fingerprint, created_at FROM ssh_keys UNION ALL
                SELECT name, '', type, blob, fingerprint, created_at FROM tokens
                WHERE coalesce(expires_at, ?1) >= ?1 ORDER BY name, fingerprint"""


class SqliteKeys:
    """See base.Keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: SshKey, *, is_admin: bool | None = None) -> None:
        user = key.user or key.name
        with self._database.write():
            self._refuse_second(key)
            if not self._database.row("SELECT 1 FROM users WHERE name = ?", user):
                insert_user(self._database, user, is_admin=is_admin)
            self._database.execute(
                "INSERT INTO ssh_keys (name, user, type, blob, fingerprint, created_at)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                *(key.name, user, key.type, key.blob, key.fingerprint, key.created_at),
            )
            write_event(self._database, "", "key-added", key=key.name, user=user)

    def remove(self, name: str) -> SshKey:
        with self._database.write():
            row = self._database.row("DELETE FROM ssh_keys WHERE name = ? RETURNING *", name)
            if row:
                write_event(self._database, "", "key-removed", key=name, user=row["user"])
        if row is None:
            raise NotFound(f"There is no ssh key named {name!r}", hint="See ssh-keys:list.")
        return _key(row)

    def list(self, user: str | None = None) -> tuple[SshKey, ...]:
        rows = self._database.rows(
            "SELECT * FROM ssh_keys WHERE user = coalesce(?, user) ORDER BY name", user
        )
        return tuple(map(_key, rows))

    def authorized(self) -> tuple[SshKey, ...]:
        return tuple(map(_key, self._database.rows(AUTHORIZED, time.time())))

    def _refuse_second(self, key: SshKey) -> None:
        row = self._database.row(
            "SELECT name FROM ssh_keys WHERE name = ? OR fingerprint = ?",
            *(key.name, key.fingerprint),
        )
        if row:
            raise Conflict(
                f"The key is there already, as {row['name']}"
                if row["name"] != key.name
                else f"There is a key named {key.name} already",
                hint=f"Remove it first: ssh-keys:remove {row['name']}",
            )
        refuse_token_key(self._database, key)


def refuse_token_key(database: Database, key: SshKey) -> None:
    """Raise Conflict for the key of a token: a key is one actor."""
    row = database.row(
        "SELECT apps.name AS app, tokens.name FROM tokens JOIN apps ON apps.id = app_id"
        " WHERE fingerprint = ?",
        key.fingerprint,
    )
    if row:
        raise Conflict(
            f"The key is that of the token {row['app']}:{row['name']}",
            hint=f"Use another key, or: tokens:revoke {row['app']} {row['name']}",
        )


def _key(row: sqlite3.Row) -> SshKey:
    values = (row["name"], row["type"], row["blob"], row["fingerprint"], row["created_at"])
    return SshKey(*values, user=row["user"])
