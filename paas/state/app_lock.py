"""The lock that `apps:lock` puts on an app: no deploy of it begins."""

from paas.model import SYSTEM, Actor, AppLock
from paas.state.database import Database


def refuse_locked(database: Database, app: int, actor: Actor) -> None:
    """Raise Conflict if the app is locked; paas itself may build again what it serves already.

    Inside the write() that makes the deploy: so no deploy begins after the lock.
    """
    row = database.row(
        "SELECT apps.name, value FROM apps JOIN properties ON app_id = apps.id"
        " WHERE apps.id = ? AND topic = ? AND key = ?",
        *(app, AppLock.TOPIC, AppLock.KEY),
    )
    if row and actor != SYSTEM:
        raise AppLock.parse(row["value"]).refusal(row["name"])
