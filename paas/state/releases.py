"""Immutable releases, numbered per app."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from paas.errors import NotFound
from paas.manifest import Check, CheckKind, CronTask, Manifest, Overlap, Var
from paas.model import ProcessType, Release
from paas.state.database import Database


class SqliteReleases:
    """See base.Releases. Written by the commit point only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, app: int, version: int) -> Release:
        sql = "SELECT * FROM releases WHERE app_id = ? AND version = ?"
        row = self._database.row(sql, app, version)
        if row is None:
            raise NotFound(f"There is no release v{version}", hint="See releases:list APP.")
        return release_from(row)

    def current(self, app: int) -> Release | None:
        row = self._database.row(
            "SELECT releases.* FROM apps JOIN releases ON releases.id = apps.release_id"
            " WHERE apps.id = ?",
            app,
        )
        return release_from(row) if row else None

    def list(self, app: int) -> tuple[Release, ...]:
        sql = "SELECT * FROM releases WHERE app_id = ? ORDER BY version DESC"
        return tuple(release_from(row) for row in self._database.rows(sql, app))

    def drop(self, release: Release) -> None:
        with self._database.write():
            self._database.execute(
                "DELETE FROM releases WHERE id = ? AND id NOT IN"
                " (SELECT release_id FROM apps WHERE release_id IS NOT NULL)",
                release.id,
            )


def release_from(row: sqlite3.Row) -> Release:
    """Return the Release of a row of the table."""
    processes = tuple(ProcessType(name, command) for name, command in json.loads(row["processes"]))
    return Release(
        id=row["id"],
        app_id=row["app_id"],
        version=row["version"],
        image=row["image"],
        config=json.loads(row["config"]),
        processes=processes,
        port=row["port"],
        commit=row["commit_id"],
        deploy_id=row["deploy_id"],
        actor=row["actor"],
        reason=row["reason"],
        created_at=row["created_at"],
        volumes=tuple(json.loads(row["volumes"])),
        manifest=_manifest_from(json.loads(row["manifest"])),
        inherited=tuple(json.loads(row["inherited"])),
        detected_port=row["detected_port"],
    )


def manifest_text(manifest: Manifest) -> str:
    """Return the manifest as it stands in the table: only what differs from an empty one."""
    return json.dumps({key: value for key, value in asdict(manifest).items() if value})


def _manifest_from(stored: Mapping[str, Any]) -> Manifest:
    checks = {
        process: tuple(Check(**{**check, "kind": CheckKind(check["kind"])}) for check in listed)
        for process, listed in stored.get("checks", {}).items()
    }
    cron = tuple(
        CronTask(**{**task, "overlap": Overlap(task["overlap"])}) for task in stored.get("cron", ())
    )
    env = {key: Var(**var) for key, var in stored.get("env", {}).items()}
    return Manifest(**{**stored, "checks": checks, "cron": cron, "env": env})
