"""Brings the schema forward: the files of migrations/, in order, in one transaction."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

from paas.errors import Outdated

FOLDER = Path(__file__).parent / "migrations"


def migrate(connection: sqlite3.Connection, folder: Path = FOLDER) -> None:
    """Apply what is missing; `PRAGMA user_version` counts. Raises Outdated for a newer schema.

    Everything, the count included, is one transaction: a crash leaves the old schema. A copy of the
    database from before stays beside it, as `paas.db.schema-N`.
    """
    files = _files(folder)
    if _version(connection) == len(files):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # again: another process may have been first
        _require_known(version, len(files))
        if 0 < version < len(files):
            _keep_copy(connection, version)
        for number, file in enumerate(files[version:], start=version + 1):
            _apply(connection, file, number)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def refuse_newer(database: Path, folder: Path) -> None:
    """Raise Outdated if the migrations in the folder, of another paas, do not reach as far.

    The database is only read. A folder without migrations is of no paas that has any.
    """
    if not database.exists():
        return
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        version = _version(connection)
    _require_known(version, len(_files(folder)))


def require_known(connection: sqlite3.Connection) -> None:
    """Raise Outdated if a newer paas has moved the database forward since it was opened."""
    _require_known(_version(connection), len(_files(FOLDER)))


def _require_known(version: int, known: int) -> None:
    if version > known:
        raise Outdated(
            f"The database is of a newer paas (schema {version}, this one knows {known})",
            hint="If it is installed, start it: systemctl restart paas. Else install it, or"
            " restore the backup made before the upgrade.",
        )


def _keep_copy(connection: sqlite3.Connection, version: int) -> None:
    """Put a whole copy beside the database, for its owner alone: the way back to an older paas.

    The caller holds the write lock: nobody commits what the copy lacks, and nobody else copies. A
    connection that may write cannot be copied from, so another one reads.
    """
    path = Path(connection.execute("PRAGMA database_list").fetchone()[2])
    new = path.with_name(f".{path.name}.copy")
    for left in path.parent.glob(f"{new.name}*"):  # by one that was killed; its journal too
        left.unlink()
    os.close(os.open(new, os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(new)) as copy:
            source.backup(copy)
        new.replace(path.with_name(f"{path.name}.schema-{version}"))
    finally:
        new.unlink(missing_ok=True)


def _apply(connection: sqlite3.Connection, file: Path, number: int) -> None:
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
