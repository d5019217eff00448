"""How many processes of each type an app wants."""

from collections.abc import Mapping

from paas.errors import InvalidName
from paas.model import process_type
from paas.state.database import Database

MOST = 29  # addresses in an app's subnet


class SqliteFormation:
    """See base.Formation."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, app: int) -> Mapping[str, int]:
        rows = self._database.rows(
            "SELECT process_type, quantity FROM formation WHERE app_id = ? ORDER BY process_type",
            app,
        )
        return {row["process_type"]: row["quantity"] for row in rows}

    def set(self, app: int, quantities: Mapping[str, int]) -> None:
        for name, quantity in quantities.items():
            if not 0 <= quantity <= MOST:
                raise InvalidName(
                    f"{quantity} processes of {process_type(name)} are not possible",
                    hint=f"Give a number from 0 to {MOST}.",
                )
        with self._database.write():
            for name, quantity in quantities.items():
                self._database.execute(
                    "INSERT OR REPLACE INTO formation VALUES (?, ?, ?)",
                    *(app, process_type(name), quantity),
                )
