"""Networks that apps share, who is on them, and the addresses of their processes."""

import sqlite3
import time
from collections.abc import Sequence

from paas.errors import Conflict, NotFound
from paas.model import Container
from paas.network import WIDTH, Attachment, Phase, SharedNetwork, check_name
from paas.settings import Settings
from paas.state.database import Database

SEATS = range(2, 64)  # the lower half; one-off containers get what the engine chooses of the upper
JOINED = """SELECT attachments.app_id, attachments.phase, networks.* FROM attachments
            JOIN networks ON networks.id = attachments.network_id"""


class SqliteNetworks:
    """See base.Networks."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def create(self, name: str, owner: str | None) -> SharedNetwork:
        check_name(name)
        with self._database.write():
            if self.find(name):
                raise Conflict("Name is already taken", hint="Choose another name.")
            row = self._database.row(
                "INSERT INTO networks (name, network_index, owner, created_at)"
                " VALUES (?, ?, ?, ?) RETURNING *",
                *(name, self._free_index(), owner, time.time()),
            )
        assert row is not None  # noqa: S101 - for the type checker: RETURNING gives a row
        return _network(row)

    def find(self, name: str) -> SharedNetwork | None:
        if not name.isascii():
            return None
        row = self._database.row("SELECT * FROM networks WHERE name = ?", name)
        return _network(row) if row else None

    def list(self) -> tuple[SharedNetwork, ...]:
        return tuple(map(_network, self._database.rows("SELECT * FROM networks ORDER BY name")))

    def destroy(self, network: int) -> None:
        with self._database.write():
            if self.attachments(network=network):
                raise Conflict("The network is in use")
            self._database.execute("DELETE FROM networks WHERE id = ?", network)

    def attachments(
        self, app: int | None = None, network: int | None = None
    ) -> tuple[Attachment, ...]:
        rows = self._database.rows(
            f"{JOINED} WHERE app_id = coalesce(?, app_id)"
            " AND network_id = coalesce(?, network_id) ORDER BY name, app_id",
            *(app, network),
        )
        return tuple(Attachment(r["app_id"], _network(r), Phase(r["phase"])) for r in rows)

    def attach(self, app: int, phase: Phase, networks: Sequence[int]) -> None:
        with self._database.write():
            others = {a.network.id: a for a in self.attachments(app=app) if a.phase is not phase}
            if taken := next((others[n] for n in networks if n in others), None):
                raise Conflict(
                    f"{taken.network.name} is the app's {taken.phase} already",
                    hint=f"Clear that first: network:set APP {taken.phase} ''",
                )
            self._database.execute(
                "DELETE FROM attachments WHERE app_id = ? AND phase = ?", app, phase
            )
            for network in dict.fromkeys(networks):
                self._insert(app, network, phase)

    def _insert(self, app: int, network: int, phase: Phase) -> None:
        try:
            self._database.execute("INSERT INTO attachments VALUES (?, ?, ?)", app, network, phase)
        except sqlite3.IntegrityError as error:
            raise NotFound("The network or the app is gone", hint="See: network:list") from error

    def seat(self, container: Container, network: SharedNetwork) -> str:
        with self._database.write():
            row = self._database.row(
                "SELECT id FROM containers WHERE deploy_id = ? AND process_type = ? AND slot = ?",
                *(container.deploy_id, container.process_type, container.slot),
            )
            if row is None:
                raise NotFound(f"{container.process} is not wanted any more", hint="Try again.")
            seat = self._seat_of(row["id"], network)
        return str(self._settings.shared_subnet(network.index)[seat])

    def _seat_of(self, container: int, network: SharedNetwork) -> int:
        """Return the container's seat; take the first free one if it has none. Raises Conflict."""
        rows = self._database.rows("SELECT * FROM seats WHERE network_id = ?", network.id)
        taken = {int(row["seat"]): row["container_id"] for row in rows}
        if own := next((seat for seat, who in taken.items() if who == container), None):
            return own
        free = next((seat for seat in SEATS if seat not in taken), None)
        if free is None:
            raise Conflict(
                f"All {len(SEATS)} addresses of the network {network.name} are taken",
                hint="Run fewer processes there, or share another network: network:create NAME",
            )
        self._database.execute("INSERT INTO seats VALUES (?, ?, ?)", container, network.id, free)
        return free

    def _free_index(self) -> int:
        """Return where a shared network fits: from the top, since apps come from the bottom."""
        taken = taken_indices(self._database)
        top = self._settings.subnets // WIDTH * WIDTH - WIDTH
        for index in range(top, -1, -WIDTH):
            if taken.isdisjoint(range(index, index + WIDTH)):
                return index
        raise Conflict("All networks are taken", hint="Destroy one: network:destroy NAME")


def taken_indices(database: Database) -> set[int]:
    """Return the indices of the small subnets that apps and shared networks have."""
    apps = database.rows("SELECT network_index FROM apps")
    shared = database.rows("SELECT network_index FROM networks")
    taken = {int(row["network_index"]) for row in apps}
    return taken | {int(row["network_index"]) + n for row in shared for n in range(WIDTH)}


def _network(row: sqlite3.Row) -> SharedNetwork:
    return SharedNetwork(
        row["id"], row["name"], row["network_index"], row["owner"], row["created_at"]
    )
