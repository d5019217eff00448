"""The walls of an app. Only what differs from the defaults is stored, so defaults can harden."""

import json
from dataclasses import fields
from types import MappingProxyType

from paas.model import SecurityOptions
from paas.state.database import Database

DEFAULTS = SecurityOptions()


class SqliteSecurity:
    """See base.Security."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, app: int) -> SecurityOptions:
        row = self._database.row("SELECT options FROM security WHERE app_id = ?", app)
        stored = json.loads(row["options"]) if row else {}
        if "tmpfs" in stored:
            stored["tmpfs"] = MappingProxyType(stored["tmpfs"])
        return SecurityOptions(**stored)

    def set(self, app: int, options: SecurityOptions) -> None:
        changed = {
            field.name: getattr(options, field.name)
            for field in fields(SecurityOptions)
            if getattr(options, field.name) != getattr(DEFAULTS, field.name)
        }
        if "tmpfs" in changed:
            changed["tmpfs"] = dict(options.tmpfs)
        with self._database.write():
            self._database.execute(
                "INSERT OR REPLACE INTO security VALUES (?, ?)", app, json.dumps(changed)
            )
