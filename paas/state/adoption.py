"""A database from a backup: checked, made fit for this host, and put in a fresh one's place."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from paas.errors import Conflict, PaasError
from paas.model import App
from paas.settings import SUBNET_BITS, Settings
from paas.state.apps import SELECT, app_from
from paas.state.database import Database
from paas.state.migrate import migrate

# What was true of the other host's engine and processes only.
FORGOTTEN = (
    "DELETE FROM containers WHERE role <> 'current'",
    "UPDATE containers SET engine_id = '', trouble = '', due = 0, parked = 0",
    "DELETE FROM ends",
    "DELETE FROM notices",
    "UPDATE deploys SET pid = NULL, pid_started = NULL",
)


class SqliteAdoption:
    """See base.Adoption. Raises PaasError for a file that is damaged or of a newer paas."""

    def __init__(self, database: Database, settings: Settings, file: Path, network: str) -> None:
        self._database = database
        self._file = file
        with _opened(file) as connection:
            _check(connection)
            migrate(connection)
            connection.execute("BEGIN IMMEDIATE")
            for statement in FORGOTTEN:
                connection.execute(statement)
            _end_deploys(connection)
            _move(connection, IPv4Network(network), settings)
            connection.execute("COMMIT")
            self.apps = tuple(app_from(row) for row in connection.execute(SELECT))
            self.images = _images(connection, self.apps)

    def commit(self) -> None:
        if self._database.row("SELECT 1 FROM apps LIMIT 1"):
            raise Conflict("An app was created meanwhile", hint="Destroy it, then import again.")
        with _opened(self._file) as connection:
            self._database.replace_with(connection)


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            yield connection
    except (sqlite3.DatabaseError, ValueError, IndexError) as error:
        raise PaasError(
            f"The backup's database is damaged: {error}", hint="Take another backup."
        ) from error


def _check(connection: sqlite3.Connection) -> None:
    problems = [str(row[0]) for row in connection.execute("PRAGMA integrity_check")]
    if problems != ["ok"]:
        raise sqlite3.DatabaseError(problems[0])
    # A trigger or a view would be code of the backup's maker.
    others = connection.execute(
        "SELECT name FROM sqlite_master WHERE type NOT IN ('table', 'index')"
    ).fetchone()
    if others or connection.execute("PRAGMA foreign_key_check").fetchone():
        raise sqlite3.DatabaseError("it is not as paas makes it")


def _end_deploys(connection: sqlite3.Connection) -> None:
    connection.execute(
        "UPDATE deploys SET state = CASE state WHEN 'switched' THEN 'done' ELSE 'failed' END,"
        " error = CASE state WHEN 'switched' THEN '' ELSE 'interrupted by a backup' END,"
        " undo = NULL, finished_at = ? WHERE finished_at IS NULL",
        (time.time(),),
    )


def _move(connection: sqlite3.Connection, old: IPv4Network, settings: Settings) -> None:
    """Give processes the addresses that they have in this host's range: the same, counted from 0.

    All go out of the way first: old and new ranges may overlap.
    """
    rows = connection.execute(
        "SELECT containers.id, address, network_index FROM containers JOIN apps ON apps.id = app_id"
    ).fetchall()
    connection.execute("UPDATE containers SET address = 'moving ' || id")
    connection.execute("DELETE FROM runs WHERE finished_at IS NULL")  # they stayed behind
    for row in rows:
        first = int(old.network_address) + (row["network_index"] << SUBNET_BITS)
        offset = int(IPv4Address(row["address"])) - first
        address = settings.subnet(row["network_index"])[offset]
        connection.execute(
            "UPDATE containers SET address = ? WHERE id = ?", (str(address), row["id"])
        )


def _images(connection: sqlite3.Connection, apps: tuple[App, ...]) -> Mapping[int, frozenset[str]]:
    rows = connection.execute("SELECT app_id, image FROM releases").fetchall()
    return {
        app.id: frozenset(row["image"] for row in rows if row["app_id"] == app.id) for app in apps
    }
