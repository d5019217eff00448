"""Tokens: keys of machines, for one app and a few verbs."""

import json
import sqlite3

from paas.errors import Conflict, NotFound
from paas.model import SshKey, Token, TokenKey
from paas.state.database import Database


class SqliteTokens:
    """See base.Tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, made: TokenKey) -> None:
        token, key = made.token, made.key
        with self._database.write():
            self._refuse_second(made)
            self._database.execute(
                "INSERT INTO tokens (app_id, name, verbs, type, blob, fingerprint, created_by,"
                " created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                *(token.app_id, token.name, json.dumps(sorted(token.verbs)), key.type, key.blob),
                *(key.fingerprint, made.created_by, key.created_at, made.expires_at),
            )

    def remove(self, app: int, name: str) -> TokenKey:
        with self._database.write():
            row = self._database.row(
                "DELETE FROM tokens WHERE app_id = ? AND name = ? RETURNING *", app, name
            )
        if row is None:
            raise NotFound(f"There is no token {name!r}", hint="tokens:list APP shows them.")
        return _token(row)

    def of_app(self, app: int) -> tuple[TokenKey, ...]:
        rows = self._database.rows("SELECT * FROM tokens WHERE app_id = ? ORDER BY name", app)
        return tuple(map(_token, rows))

    def made_by(self, user: str) -> tuple[tuple[str, str], ...]:
        rows = self._database.rows(
            "SELECT apps.name AS app, tokens.name FROM tokens JOIN apps ON apps.id = app_id"
            " WHERE created_by = ? ORDER BY 1, 2",
            user,
        )
        return tuple((row["app"], row["name"]) for row in rows)

    def _refuse_second(self, made: TokenKey) -> None:
        """Raise Conflict for a name or a key that is there; whose key it is, is not told."""
        name, fingerprint = made.token.name, made.key.fingerprint
        if any(name == other.token.name for other in self.of_app(made.token.app_id)):
            raise Conflict(
                f"There is a token named {name} already", hint="Revoke it first: tokens:revoke"
            )
        taken = "SELECT 1 FROM {} WHERE fingerprint = ?"
        if any(self._database.row(taken.format(t), fingerprint) for t in ("tokens", "ssh_keys")):
            raise Conflict(
                "This key is in use already: a token needs one of its own",
                hint="Make one: ssh-keygen -t ed25519, or type --generate",
            )


def _token(row: sqlite3.Row) -> TokenKey:
    verbs = frozenset(json.loads(row["verbs"]))
    parts = (row["name"], row["type"], row["blob"], row["fingerprint"], row["created_at"])
    return TokenKey(
        Token(row["app_id"], row["name"], verbs),
        SshKey(*parts),
        row["created_by"],
        row["expires_at"],
    )
