"""Attempts to make a release."""

import os
import sqlite3
import time
from collections.abc import Mapping, Sequence

from paas.errors import NotFound
from paas.model import Actor, Candidate, Container, Deploy, DeployState, Release
from paas.state import commit_point
from paas.state.app_lock import refuse_locked
from paas.state.database import Database
from paas.state.notices import queue_notice
from paas.state.recovery import tell_replaced
from paas.state.steps import STEPS, step, steps_from
from paas.workers import started_at

FORGET = """DELETE FROM deploys WHERE id IN (
  SELECT id FROM deploys WHERE app_id = ? AND finished_at IS NOT NULL
    AND id NOT IN (SELECT deploy_id FROM releases)
    AND id NOT IN (SELECT deploy_id FROM containers)
  ORDER BY id DESC"""
NOTICES = {DeployState.DONE: "deployed", DeployState.FAILED: "failed"}


class SqliteDeploys:
    """See base.Deploys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(
        self, app: int, actor: Actor, reason: str, commit: str | None, branch: str | None
    ) -> Deploy:
        with self._database.write():
            refuse_locked(self._database, app, actor)
            row = self._database.row(
                "INSERT INTO deploys (app_id, state, actor, reason, commit_id, branch, started_at,"
                " pid, pid_started, steps)"
                " VALUES (?, 'received', ?, ?, ?, ?, ?, ?, ?, json_array(json(?))) RETURNING id",
                *(app, actor.name, reason, commit, branch, time.time(), os.getpid()),
                *(started_at(os.getpid()), step(DeployState.RECEIVED)),
            )
            assert row is not None  # noqa: S101 - for the type checker: RETURNING gives a row
            return self.get(row["id"])

    def advance(self, deploy: int, state: DeployState) -> None:
        with self._database.write():
            now = self.get(deploy)
            if now.cancelled_by or now.state is DeployState.CANCELLED:
                raise commit_point.cancelled(now)
            if not now.state.is_final:
                self._set_state(deploy, state)

    def fail(self, deploy: int, state: DeployState, error: str) -> None:
        with self._database.write():
            now = self.get(deploy).state
            if not now.is_final and now is not DeployState.SWITCHED:
                self._set_state(deploy, state, error)

    def commit(
        self,
        deploy: int,
        candidate: Candidate,
        containers: Sequence[Container],
        config: Mapping[str, str] | None = None,
    ) -> Release:
        with self._database.write():
            return commit_point.commit(
                self._database, self.get(deploy), candidate, containers, config
            )

    def replace(
        self,
        deploy: int,
        containers: Sequence[Container],
        formation: Mapping[str, int] | None = None,
    ) -> None:
        with self._database.write():
            commit_point.replace(self._database, self.get(deploy), containers, formation)

    def cancel(self, deploy: int, actor: Actor) -> bool:
        with self._database.write():
            return bool(
                self._database.execute(
                    "UPDATE deploys SET cancelled_by = coalesce(cancelled_by, ?)"
                    " WHERE id = ? AND finished_at IS NULL AND state <> 'switched'",
                    *(actor.name, deploy),
                )
            )

    def revert(self, deploy: int, error: str) -> None:
        with self._database.write():
            commit_point.revert(self._database, self.get(deploy))
            self._set_state(deploy, DeployState.FAILED, error)

    def get(self, deploy: int) -> Deploy:
        row = self._database.row("SELECT * FROM deploys WHERE id = ?", deploy)
        if row is None:
            raise NotFound(f"There is no deploy {deploy}", hint="See deploys:list APP.")
        return _deploy(row)

    def list(self, app: int | None = None, limit: int = 50) -> tuple[Deploy, ...]:
        sql = "SELECT * FROM deploys WHERE app_id = ? OR ? IS NULL ORDER BY id DESC LIMIT ?"
        return tuple(_deploy(row) for row in self._database.rows(sql, app, app, limit))

    def unfinished(self) -> tuple[Deploy, ...]:
        sql = "SELECT * FROM deploys WHERE finished_at IS NULL ORDER BY id"
        return tuple(_deploy(row) for row in self._database.rows(sql))

    def newest_finished(self) -> Mapping[int, int]:
        rows = self._database.rows(
            "SELECT app_id, max(id) AS newest FROM deploys WHERE finished_at IS NOT NULL"
            " GROUP BY app_id"
        )
        return {row["app_id"]: row["newest"] for row in rows}

    def forget(self, app: int, keep: int) -> None:
        with self._database.write():
            self._database.execute(f"{FORGET} LIMIT -1 OFFSET ?)", app, keep)

    def ids(self) -> frozenset[int]:
        return frozenset(row["id"] for row in self._database.rows("SELECT id FROM deploys"))

    def _set_state(self, deploy: int, state: DeployState, error: str = "") -> None:
        self._database.execute(
            f"UPDATE deploys SET state = ?, error = ?, finished_at = ?, {STEPS},"  # noqa: S608 - constant
            " undo = CASE WHEN ? = 'switched' THEN undo END WHERE id = ?",
            *(state, error, time.time() if state.is_final else None, step(state), state, deploy),
        )
        if state in NOTICES:
            self._tell(self.get(deploy), NOTICES[state])

    def _tell(self, deploy: Deploy, event: str) -> None:
        if deploy.state is DeployState.DONE:
            tell_replaced(self._database, deploy.app_id)
        version = f"v{deploy.version}" if deploy.version else None
        told = {"deploy": deploy.id, "actor": deploy.actor, "reason": deploy.reason}
        told |= {"commit": deploy.commit, "release": version, "error": deploy.error}
        queue_notice(self._database, deploy.app_id, event, **told)


def _deploy(row: sqlite3.Row) -> Deploy:
    return Deploy(
        id=row["id"],
        app_id=row["app_id"],
        state=DeployState(row["state"]),
        actor=row["actor"],
        reason=row["reason"],
        commit=row["commit_id"],
        branch=row["branch"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        version=row["version"],
        error=row["error"],
        pid=row["pid"],
        pid_started=row["pid_started"],
        cancelled_by=row["cancelled_by"],
        steps=steps_from(row["steps"]),
    )
