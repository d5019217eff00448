"""Config vars, as they are stored now."""

from collections.abc import Mapping, Sequence

from paas.errors import InvalidName
from paas.model import (
    CONFIG_GLOBAL_BYTES,
    CONFIG_TOTAL_BYTES,
    CONFIG_VALUE_BYTES,
    config_key,
)
from paas.state.database import Database
from paas.state.events import write_event


class SqliteConfig:
    """See base.Config."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, app: int | None) -> Mapping[str, str]:
        return read_config(self._database, app)

    def change(
        self, app: int | None, values: Mapping[str, str], remove: Sequence[str] = ()
    ) -> None:
        with self._database.write():
            write_config(self._database, app, self.preview(app, values, remove))

    def preview(
        self, app: int | None, values: Mapping[str, str], remove: Sequence[str] = ()
    ) -> Mapping[str, str]:
        for key, value in values.items():
            _check_value(config_key(key), value)
        kept = {key: value for key, value in self.get(app).items() if key not in remove}
        changed = dict(sorted({**kept, **values}.items()))
        _check_total(changed, CONFIG_TOTAL_BYTES if app else CONFIG_GLOBAL_BYTES)
        return changed


def read_config(database: Database, app: int | None) -> dict[str, str]:
    """Return the app's vars, by key."""
    rows = database.rows("SELECT key, value FROM config WHERE app_id IS ? ORDER BY key", app)
    return {row["key"]: row["value"] for row in rows}


def write_config(database: Database, app: int | None, values: Mapping[str, str]) -> None:
    """Make the app's vars equal to `values`, inside a write()."""
    before = read_config(database, app)
    changed = sorted(key for key in {*before, *values} if before.get(key) != values.get(key))
    if changed:
        write_event(database, app or "", "config-changed", keys=changed)
    database.execute("DELETE FROM config WHERE app_id IS ?", app)
    for key, value in values.items():
        database.execute("INSERT INTO config VALUES (?, ?, ?)", app, key, value)


def _check_value(key: str, value: str) -> None:
    """Raise InvalidName for what no environment can hold. The value itself is never shown."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise InvalidName(
            f"The value of {key} is not UTF-8", hint="Encode it as base64."
        ) from error
    if "\0" in value:
        raise InvalidName(f"The value of {key} has a NUL byte", hint="Encode it as base64.")
    if size > CONFIG_VALUE_BYTES:
        raise InvalidName(
            f"The value of {key} has {size} bytes, more than {CONFIG_VALUE_BYTES}",
            hint="Keep large data in the source or in a service.",
        )


def _check_total(values: Mapping[str, str], most: int) -> None:
    total = sum(len(key) + len(value.encode()) for key, value in values.items())
    if total > most:
        raise InvalidName(
            f"The config would have {total} bytes, more than {most}",
            hint="Unset what is not needed: config:unset APP KEY",
        )
