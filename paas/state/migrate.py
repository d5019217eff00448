"""Brings the schema forward: the files of migrations/, in order, in one transaction."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

from paas.errors import PaasError

FOLDER = Path(__file__).parent / "migrations"


def migrate(connection: sqlite3.Connection, folder: Path = FOLDER) -> None:
    """Apply what is missing; `PRAGMA user_version` counts. Raises PaasError for a newer schema.

    Everything, the count included, is one transaction: a crash leaves the old schema. A copy of the
    database from before stays beside it, as `paas.db.schema-N`.
    """
    files = _files(folder)
    version = _version(connection)
    if version == len(files):
        return
    if 0 < version < len(files):
        _keep_copy(connection, version)
    connection.execute("BEGIN IMMEDIATE")
    try:
        _apply(connection, files)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _keep_copy(connection: sqlite3.Connection, version: int) -> None:
    """Put a whole copy beside the database, for its owner alone: the way back to an older paas."""
    path = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".copy-", delete=False) as file:
        new = Path(file.name)
    try:
        with closing(sqlite3.connect(new)) as copy:
            connection.backup(copy)
        new.replace(path.with_name(f"{path.name}.schema-{version}"))
    finally:
        new.unlink(missing_ok=True)


def _apply(connection: sqlite3.Connection, files: tuple[Path, ...]) -> None:
    done = _version(connection)  # again: another process may have been first
    if done > len(files):
        raise PaasError(
            f"The database is of a newer paas (schema {done}, this one knows {len(files)})",
            hint="Start the newer paas, or restore the backup made before the upgrade.",
        )
    for number, file in enumerate(files[done:], start=done + 1):
        for statement in _statements(file.read_text()):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")


@cache
def _files(folder: Path) -> tuple[Path, ...]:
    return tuple(sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql")))


_files(FOLDER)  # before the daemon forks: an upgrade's files are not for the code of before it


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """Split a script; `executescript` would commit the transaction first."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        raise ValueError(f"a migration ends in the middle of a statement: {statement!r}")
