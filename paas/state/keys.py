"""Ssh keys that may push."""

import sqlite3

from paas.errors import Conflict, NotFound
from paas.model import SshKey
from paas.state.database import Database


class SqliteKeys:
    """See base.Keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, key: SshKey) -> None:
        with self._database.write():
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
            self._database.execute(
                "INSERT INTO ssh_keys (name, type, blob, fingerprint, created_at)"
                " VALUES (?, ?, ?, ?, ?)",
                *(key.name, key.type, key.blob, key.fingerprint, key.created_at),
            )

    def remove(self, name: str) -> SshKey:
        with self._database.write():
            row = self._database.row("DELETE FROM ssh_keys WHERE name = ? RETURNING *", name)
        if row is None:
            raise NotFound(f"There is no ssh key named {name!r}", hint="See ssh-keys:list.")
        return _key(row)

    def by_fingerprint(self, fingerprint: str) -> SshKey | None:
        row = self._database.row("SELECT * FROM ssh_keys WHERE fingerprint = ?", fingerprint)
        return _key(row) if row else None

    def list(self) -> tuple[SshKey, ...]:
        rows = self._database.rows("SELECT * FROM ssh_keys ORDER BY name")
        return tuple(_key(row) for row in rows)


def _key(row: sqlite3.Row) -> SshKey:
    return SshKey(row["name"], row["type"], row["blob"], row["fingerprint"], row["created_at"])
