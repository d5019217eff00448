"""One SQLite file: connections per process, transactions, and errors in plain words."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from paas.errors import DiskFull, NotFound, PaasError, Unavailable
from paas.model import Finding
from paas.state.migrate import migrate, require_known

BUSY_SECONDS = 30.0

# A connection must not be used, nor even closed, in a child of the process that opened it
# (https://www.sqlite.org/howtocorrupt.html, 2.6): children park what they inherited here.
_inherited: list[sqlite3.Connection] = []


class Database:
    """Connects on first use, and again in a forked child. `changed` is called after each commit."""

    def __init__(self, path: Path, changed: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._changed = changed
        self._pid = 0
        self._connection: sqlite3.Connection | None = None

    def make(self) -> None:
        """Make the file, if it is not there. Only setup does: to others its absence is an error."""
        with _in_plain_words(self._path):
            if not self._path.exists():
                _create(self._path)

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with _in_plain_words(self._path):
            return self._connected().execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        return next(iter(self.rows(sql, *values)), None)

    def execute(self, sql: str, *values: object) -> int:
        """Change rows inside write(); return how many were changed."""
        with _in_plain_words(self._path):
            connection = self._connected()
            if not connection.in_transaction:
                raise RuntimeError("a change outside of write()")
            return connection.execute(sql, values).rowcount

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[None]:
        """Hold the one write transaction: all of it is kept, or nothing of it.

        Without `durable` it does not wait for the disk: a loss of power may take it back, together
        with what was written just before it, and nobody is woken
        (https://www.sqlite.org/pragma.html#pragma_synchronous).
        """
        with _in_plain_words(self._path):
            connection = self._connected()
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
                if durable:
                    self._changed()
            except BaseException:
                if connection.in_transaction:  # a full disk has rolled it back already
                    connection.execute("ROLLBACK")
                raise

    def require_known(self) -> None:
        """Raise Outdated when a newer paas has moved the database forward."""
        with _in_plain_words(self._path):
            require_known(self._connected())

    def check(self) -> tuple[Finding, ...]:
        """Return what SQLite itself finds wrong with the file."""
        try:
            problems = [str(row[0]) for row in self.rows("PRAGMA integrity_check")]
            orphans = [str(row[0]) for row in self.rows("PRAGMA foreign_key_check")]
        except PaasError as error:
            return (Finding("database", "fail", error.message, error.hint),)
        if orphans or problems != ["ok"]:
            wrong = f"rows of {orphans[0]} belong to nothing" if orphans else problems[0]
            return (Finding("database", "fail", wrong, "Restore a backup of the database."),)
        return (Finding("database", "ok", f"{self._path} is sound"),)

    def snapshot(self, path: Path) -> int:
        """Write a copy that is whole, while others write on; return its schema's number.

        SQLite's online backup (https://www.sqlite.org/backup.html).
        """
        with _in_plain_words(self._path), closing(sqlite3.connect(path)) as copy:
            path.chmod(0o600)
            self._connected().backup(copy)
            return int(copy.execute("PRAGMA user_version").fetchone()[0])

    def replace_with(self, source: sqlite3.Connection) -> None:
        """Make the content that of another database, in one transaction that others see or not."""
        with _in_plain_words(self._path):
            source.backup(self._connected())

    def close(self) -> None:
        """Close the connection of this process; the next use opens a new one."""
        if self._connection and self._pid == os.getpid():
            self._connection.close()
            self._connection = None

    def _connected(self) -> sqlite3.Connection:
        if self._connection and self._pid != os.getpid():
            _inherited.append(self._connection)
            self._connection = None
        if self._connection is None:
            self._connection = _open(self._path)
            self._pid = os.getpid()
        return self._connection


def _open(path: Path) -> sqlite3.Connection:
    require_file(path)
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def require_file(path: Path) -> None:
    """Raise Unavailable if there is no database: an empty one would have all apps removed."""
    if not path.exists():
        raise Unavailable(
            f"There is no database at {path}", hint="Is its disk mounted? On a new host: paas setup"
        )


def _create(path: Path) -> None:
    """Put an empty WAL database in place, readable by its owner only.

    It is made aside and linked: switching to WAL in place does not wait for other processes.
    SQLite gives the -wal and -shm files the mode of the database.
    """
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        new = Path(folder) / path.name
        new.touch(0o600)
        connection = sqlite3.connect(new)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        try:
            os.link(new, path)
        except FileExistsError:
            return  # another process was first


@contextmanager
def _in_plain_words(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
            raise
        raise NotFound("The app does not exist any more", hint="See apps:list.") from error
    except sqlite3.DatabaseError as error:
        explained = _explain(path, error)
        if explained is None:
            raise
        raise explained from error
    except FileNotFoundError as error:
        raise Unavailable(f"There is no place for {path}", hint="Run: paas setup") from error


def _explain(path: Path, error: sqlite3.DatabaseError) -> PaasError | None:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary code
    if code == sqlite3.SQLITE_FULL:
        return DiskFull(f"The disk of {path} is full", hint="Free some space, then try again.")
    if code == sqlite3.SQLITE_BUSY:
        return Unavailable(
            f"The database was locked for {BUSY_SECONDS:.0f} s", hint="Try again; see: paas doctor"
        )
    if code in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISUSE}:
        return None  # a mistake of ours, not of the host's
    return Unavailable(f"The database {path} fails: {error}", hint="Run: paas doctor")
