"""Named volumes, and where they are mounted."""

import sqlite3
import time

from paas.errors import Conflict, NotFound
from paas.state.database import Database
from paas.volume import Mount, Volume


class SqliteStorage:
    """See base.Storage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, size: int) -> Volume:
        volume = Volume(name, size, time.time())
        with self._database.write():
            if self.find(name):
                raise Conflict(f"There is a volume {name} already", hint="Choose another name.")
            self._database.execute(
                "INSERT INTO volumes (name, size, created_at) VALUES (?, ?, ?)",
                *(name, size, volume.created_at),
            )
        return volume

    def find(self, name: str) -> Volume | None:
        if not name.isascii():
            return None
        row = self._database.row("SELECT * FROM volumes WHERE name = ?", name)
        return _volume(row) if row else None

    def list(self) -> tuple[Volume, ...]:
        return tuple(map(_volume, self._database.rows("SELECT * FROM volumes ORDER BY name")))

    def destroy(self, name: str) -> None:
        with self._database.write():
            if self.mounts(volume=name):
                raise Conflict(f"The volume {name} is mounted")
            self._database.execute("DELETE FROM volumes WHERE name = ?", name)

    def mount(self, mount: Mount) -> None:
        with self._database.write():
            volume = self.find(mount.volume)
            if volume is None:
                raise NotFound(
                    f"There is no volume {mount.volume}", hint="See: storage:list-entries"
                )
            if volume.app_id not in {None, mount.app_id}:
                raise Conflict(f"The volume {mount.volume} belongs to another app")
            self._database.execute(
                "UPDATE volumes SET app_id = ? WHERE name = ?", mount.app_id, mount.volume
            )
            self._insert(mount)

    def _insert(self, mount: Mount) -> None:
        try:
            self._database.execute(
                """INSERT INTO mounts (app_id, volume, container_dir, process_type, readonly)
                   VALUES (?, ?, ?, ?, ?)""",
                *(mount.app_id, mount.volume, mount.directory, mount.process_type),
                int(mount.is_readonly),
            )
        except sqlite3.IntegrityError as error:
            raise Conflict(
                f"Something is mounted at {mount.directory} already", hint="See: storage:list APP"
            ) from error

    def unmount(self, app: int, volume: str, directory: str | None) -> int:
        with self._database.write():
            found = [
                mount
                for mount in self.mounts(app=app, volume=volume)
                if directory in {None, mount.directory}
            ]
            for mount in found:
                self._database.execute(
                    "DELETE FROM mounts WHERE app_id = ? AND volume = ? AND container_dir = ?",
                    *(app, volume, mount.directory),
                )
        return len(found)

    def mounts(self, app: int | None = None, volume: str | None = None) -> tuple[Mount, ...]:
        rows = self._database.rows(
            """SELECT * FROM mounts WHERE app_id = coalesce(?, app_id)
               AND volume = coalesce(?, volume) ORDER BY app_id, container_dir, process_type""",
            *(app, volume),
        )
        return tuple(
            Mount(
                app_id=row["app_id"],
                volume=row["volume"],
                directory=row["container_dir"],
                process_type=row["process_type"],
                is_readonly=bool(row["readonly"]),
            )
            for row in rows
        )


def _volume(row: sqlite3.Row) -> Volume:
    return Volume(row["name"], row["size"], row["created_at"], row["app_id"])
