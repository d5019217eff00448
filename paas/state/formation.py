"""How many processes of each type an app wants."""

from collections.abc import Mapping

from paas.errors import InvalidName
from paas.model import process_type
from paas.state.database import Database
from paas.state.events import write_event

MOST = 29  # addresses in an app's subnet


class SqliteFormation:
    """See base.Formation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, app: int) -> Mapping[str, int]:
        return read_formation(self._database, app)

    def preview(self, app: int, quantities: Mapping[str, int]) -> Mapping[str, int]:
        for name, quantity in quantities.items():
            if not 0 <= quantity <= MOST:
                raise InvalidName(
                    f"{quantity} processes of {process_type(name)} are not possible",
                    hint=f"Give a number from 0 to {MOST}.",
                )
        return {**self.get(app), **quantities}

    def set(self, app: int, quantities: Mapping[str, int]) -> None:
        with self._database.write():
            write_formation(self._database, app, self.preview(app, quantities))


def read_formation(database: Database, app: int) -> dict[str, int]:
    """Return the app's quantities, by process type."""
    rows = database.rows(
        "SELECT process_type, quantity FROM formation WHERE app_id = ? ORDER BY process_type", app
    )
    return {row["process_type"]: row["quantity"] for row in rows}


def write_formation(database: Database, app: int, quantities: Mapping[str, int]) -> None:
    """Make the app's quantities equal to `quantities`, inside a write()."""
    before = read_formation(database, app)
    changed = {name: count for name, count in quantities.items() if before.get(name) != count}
    if changed:
        write_event(database, app, "scaled", processes=changed)
    database.execute("DELETE FROM formation WHERE app_id = ?", app)
    for name, quantity in quantities.items():
        database.execute(
            "INSERT INTO formation VALUES (?, ?, ?)", app, process_type(name), quantity
        )
