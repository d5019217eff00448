"""Apps by name and id."""

import difflib
import sqlite3
import time
from collections.abc import Mapping, Sequence

from paas.errors import Conflict, NotFound
from paas.model import App, Desired, app_name
from paas.state.copying import copy_settings
from paas.state.database import Database
from paas.state.events import rename_events, write_event
from paas.state.networks import taken_indices
from paas.workers import Worker, this_process

UNBORN = ("apps", "first-push")  # the property that says which process pushes
NETWORKS = 2048  # /27 subnets in a /16
SELECT = """SELECT apps.*, releases.version FROM apps
            LEFT JOIN releases ON releases.id = apps.release_id"""

ALIKE = 0.75  # of difflib's ratio: one slip in four letters
DIGITS = "-0123456789"


class SqliteApps:
    """See base.Apps."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, owner: str | None = None, *, for_push: bool = False) -> App:
        app_name(name)
        with self._database.write():
            if self.find(name):
                raise Conflict("Name is already taken", hint="Choose another name.")
            self._database.execute(
                "INSERT INTO apps (name, network_index, created_at) VALUES (?, ?, ?)",
                name,
                self._free_network(),
                time.time(),
            )
            made = self.get(name)
            write_event(self._database, name, "created", owner=owner)
            self._database.execute(
                "INSERT INTO grants SELECT name, ?, 'owner' FROM users WHERE name = ?",
                *(made.id, owner),
            )
            if for_push:
                self._database.execute(
                    "INSERT INTO properties VALUES (?, ?, ?, ?)", made.id, *UNBORN, _this_process()
                )
            return made

    def claim(self, app: int) -> bool:
        with self._database.write():
            return bool(
                self._database.execute(
                    "UPDATE properties SET value = ? WHERE app_id = ? AND topic = ? AND key = ?",
                    *(_this_process(), app, *UNBORN),
                )
            )

    def settle(self, app: int) -> None:
        with self._database.write():
            self._database.execute(
                "DELETE FROM properties WHERE app_id = ? AND topic = ? AND key = ?", app, *UNBORN
            )

    def unborn(self) -> Mapping[int, Worker]:
        rows = self._database.rows(
            "SELECT app_id, value FROM properties JOIN apps ON apps.id = app_id"
            " WHERE topic = ? AND key = ? AND release_id IS NULL",
            *UNBORN,
        )
        return {row["app_id"]: _worker(row["value"]) for row in rows}

    def get(self, name: str) -> App:
        found = self.find(name)
        if found:
            return found
        raise missing_app(name, [app.name for app in self.list()])

    def by_id(self, app: int) -> App:
        row = self._database.row(f"{SELECT} WHERE apps.id = ?", app)
        if row is None:
            raise NotFound("The app does not exist any more", hint="See apps:list.")
        return app_from(row)

    def find(self, name: str) -> App | None:
        if not name.isascii():  # no app has such a name, and SQLite takes no lone surrogates
            return None
        row = self._database.row(f"{SELECT} WHERE apps.name = ?", name)
        return app_from(row) if row else None

    def list(self) -> tuple[App, ...]:
        return tuple(app_from(row) for row in self._database.rows(f"{SELECT} ORDER BY apps.name"))

    def set_desired(self, app: int, desired: Desired) -> None:
        with self._database.write():
            self.by_id(app)
            self._database.execute("UPDATE apps SET desired = ? WHERE id = ?", desired, app)

    def set_deploy_branch(self, app: int, branch: str | None) -> None:
        with self._database.write():
            self.by_id(app)
            self._database.execute("UPDATE apps SET deploy_branch = ? WHERE id = ?", branch, app)

    def rename(self, app: int, name: str) -> App:
        app_name(name)
        with self._database.write():
            if self.find(name):
                raise Conflict("Name is already taken", hint="Choose another name.")
            rename_events(self._database, self.by_id(app), name)
            self._database.execute("UPDATE apps SET name = ? WHERE id = ?", name, app)
        return self.by_id(app)

    def copy_settings(self, source: int, target: int) -> None:
        copy_settings(self._database, source, target)

    def destroy(self, app: int) -> None:
        with self._database.write():
            write_event(self._database, app, "destroyed")
            self._database.execute("DELETE FROM apps WHERE id = ?", app)

    def _free_network(self) -> int:
        taken = taken_indices(self._database)
        free = next((index for index in range(NETWORKS) if index not in taken), None)
        if free is None:
            raise Conflict(
                f"All {NETWORKS} app networks are taken", hint="Destroy an app: apps:destroy NAME"
            )
        return free


def missing_app(name: str, known: Sequence[str]) -> NotFound:
    """Return the error for an app that does not exist, with the nearest of the known names."""
    near = nearest_name(name, known)
    return NotFound(
        f"App {name if name.isprintable() else ascii(name)} does not exist",
        hint=f"Did you mean {near}?" if near else "See apps:list, or: apps:create NAME",
    )


def nearest_name(name: str, known: Sequence[str]) -> str | None:
    """Return the known name most like `name`, if one is alike; `shop2` is no slip for `shop1`."""
    bare = name.rstrip(DIGITS)
    others = [other for other in known if other.rstrip(DIGITS) != bare]
    return next(iter(difflib.get_close_matches(name, others, n=1, cutoff=ALIKE)), None)


def _this_process() -> str:
    return " ".join(map(str, this_process()))


def _worker(text: str) -> Worker:
    pid, started = text.split()
    return int(pid), int(started)


def app_from(row: sqlite3.Row) -> App:
    """Return the App of a row of SELECT."""
    return App(
        id=row["id"],
        name=row["name"],
        network_index=row["network_index"],
        created_at=row["created_at"],
        desired=Desired(row["desired"]),
        deploy_branch=row["deploy_branch"],
        version=row["version"],
    )
