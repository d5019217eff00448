"""Users, and whose key it is."""

import json
import sqlite3
import time

from paas.errors import Conflict, NotFound
from paas.model import Actor, Token, User
from paas.state.database import Database

PERSON = """SELECT users.* FROM ssh_keys JOIN users ON users.name = ssh_keys.user
            WHERE ssh_keys.fingerprint = ?"""
MACHINE = """SELECT tokens.*, apps.name AS app FROM tokens JOIN apps ON apps.id = tokens.app_id
              WHERE tokens.fingerprint = ? AND coalesce(tokens.expires_at, ?2) >= ?2"""


class SqliteUsers:
    """See base.Users."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, name: str, *, is_admin: bool | None = None) -> User:
        with self._database.write():
            if self._database.row("SELECT 1 FROM users WHERE name = ?", name):
                raise Conflict(f"There is a user {name} already", hint=f"See users:report {name}")
            insert_user(self._database, name, is_admin=is_admin)
        return self.get(name)

    def get(self, name: str) -> User:
        row = self._database.row("SELECT * FROM users WHERE name = ?", name)
        if row is None:
            raise NotFound(f"There is no user {name!r}", hint="users:list shows them to admins.")
        return _user(row)

    def list(self) -> tuple[User, ...]:
        return tuple(map(_user, self._database.rows("SELECT * FROM users ORDER BY name")))

    def set_admin(self, name: str, *, is_admin: bool) -> None:
        with self._database.write():
            self.get(name)
            self._database.execute(
                "UPDATE users SET role = ? WHERE name = ?", _role(is_admin=is_admin), name
            )

    def remove(self, name: str) -> None:
        with self._database.write():
            self.get(name)
            self._database.execute("DELETE FROM users WHERE name = ?", name)

    def actor(self, fingerprint: str) -> Actor | None:
        row = self._database.row(PERSON, fingerprint)
        if row:
            return Actor(row["name"], fingerprint=fingerprint, is_admin=row["role"] == "admin")
        row = self._database.row(MACHINE, fingerprint, time.time())
        if row is None:
            return None
        token = Token(row["app_id"], row["name"], frozenset(json.loads(row["verbs"])))
        name = f"{row['app']}:{row['name']}"
        return Actor(name, fingerprint=fingerprint, token=token, maker=row["created_by"])


def insert_user(database: Database, name: str, *, is_admin: bool | None) -> None:
    """Add a user inside a write(); who comes while there is no admin becomes one, if None."""
    if is_admin is None:
        is_admin = database.row("SELECT 1 FROM users WHERE role = 'admin'") is None
    database.execute(
        "INSERT INTO users VALUES (?, ?, ?)", name, _role(is_admin=is_admin), time.time()
    )


def _role(*, is_admin: bool) -> str:
    return "admin" if is_admin else "member"


def _user(row: sqlite3.Row) -> User:
    return User(row["name"], is_admin=row["role"] == "admin", created_at=row["created_at"])
