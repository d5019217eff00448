"""One-off containers and what came of them."""

import os
import sqlite3
import time

from paas.errors import Conflict, NotFound
from paas.model import App
from paas.settings import Settings
from paas.state.containers import free_address
from paas.state.database import Database
from paas.state.journal import write_line
from paas.state.notices import queue_notice
from paas.tasks import Errand, Run, RunKind
from paas.workers import started_at

AT_ONCE = 10  # per app: its other addresses are for deploys
KEPT = 50  # of an app that are over
SEEN = 3600.0  # seconds for which a schedule's minute is kept, so that it does not come again
COLUMNS = (
    "id, app_id, kind, job, version, command, actor, engine_id, address, started_at, due, pid,"
    " pid_started, finished_at, status, error"
)


class SqliteRuns:
    """See base.Runs."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def begin(self, app: App, errand: Errand, version: int, *, has_address: bool) -> Run:
        with self._database.write():
            if len(self.open(app.id)) >= AT_ONCE:
                raise Conflict(
                    f"{AT_ONCE} one-off containers of {app.name} run already",
                    hint=f"See run:list {app.name}; to end them: run:stop {app.name}",
                )
            address = free_address(self._database, self._settings, app) if has_address else None
            return self._insert(app.id, errand, version, address)

    def skip(self, app: int, errand: Errand, version: int, why: str) -> None:
        try:
            with self._database.write():
                run = self._insert(app, errand, version, None)
                self._finish(run, None, why, "")
                write_line(self._database, app, f"{_title(run)} {why}")
        except Conflict:
            return

    def started(self, run: Run, container_id: str, *, alone: bool = False) -> Run:
        with self._database.write():
            row = self._database.row(
                "UPDATE runs SET engine_id = ?2, pid = iif(?3, NULL, pid)"  # noqa: S608 - constant
                f" WHERE id = ?1 AND finished_at IS NULL AND error = '' RETURNING {COLUMNS}",
                *(run.id, container_id, alone),
            )
        if row is None:
            raise NotFound(f"{run.process} is not wanted any more")
        return _run(row)

    def explain(self, run: Run, why: str) -> None:
        """Say beforehand why somebody ends it."""
        with self._database.write():
            self._database.execute(
                "UPDATE runs SET error = ?2 WHERE id = ?1 AND finished_at IS NULL AND error = ''",
                *(run.id, why),
            )

    def spare(self, run: Run) -> None:
        with self._database.write():
            self._database.execute(
                "UPDATE runs SET error = '' WHERE id = ? AND finished_at IS NULL", run.id
            )

    def end(self, run: Run, status: int | None, error: str = "", output: str = "") -> str:
        with self._database.write():
            ended = self._finish(run, status, error, output)
            if ended is None:
                return self._why(run, error)
            if run.kind is RunKind.CRON and ended.has_failed:
                self._tell(ended)
            self._database.execute(
                "DELETE FROM runs WHERE app_id = ?1 AND finished_at < ?2 AND id NOT IN"
                " (SELECT id FROM runs WHERE app_id = ?1 ORDER BY id DESC LIMIT ?3)",
                *(run.app_id, time.time() - SEEN, KEPT),
            )
            return ended.error

    def open(self, app: int | None = None) -> tuple[Run, ...]:
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM runs WHERE finished_at IS NULL"  # noqa: S608 - constant
            " AND (app_id = ?1 OR ?1 IS NULL) ORDER BY id",
            app,
        )
        return tuple(map(_run, rows))

    def list(self, app: int, job: str | None = None) -> tuple[Run, ...]:
        rows = self._database.rows(
            f"SELECT {COLUMNS} FROM runs WHERE app_id = ?1"  # noqa: S608 - constant
            " AND (job = ?2 OR ?2 IS NULL) ORDER BY id DESC",
            *(app, job),
        )
        return tuple(map(_run, rows))

    def get(self, app: int, run: int) -> Run:
        sql = f"SELECT {COLUMNS} FROM runs WHERE app_id = ? AND id = ?"  # noqa: S608 - constant
        row = self._database.row(sql, app, run)
        if row is None:
            raise NotFound(f"There is no run {run}", hint="See run:list APP, cron:history APP.")
        return _run(row)

    def output(self, run: Run) -> str:
        row = self._database.row("SELECT output FROM runs WHERE id = ?", run.id)
        return str(row["output"]) if row else ""

    def _insert(self, app: int, errand: Errand, version: int, address: str | None) -> Run:
        now = time.time()
        try:
            row = self._database.row(
                "INSERT INTO runs (app_id, kind, job, scheduled, version, command, actor, address,"  # noqa: S608 - constant
                " started_at, due, pid, pid_started) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                f" RETURNING {COLUMNS}",
                *(app, errand.kind, errand.job, errand.scheduled, version, errand.command),
                *(errand.actor, address, now, now + errand.ttl),
                *(os.getpid(), started_at(os.getpid())),
            )
        except sqlite3.IntegrityError as error:
            raise Conflict(f"The job {errand.job} has begun already") from error
        assert row is not None  # noqa: S101 - for the type checker: RETURNING gives a row
        return _run(row)

    def _finish(self, run: Run, status: int | None, error: str, output: str) -> Run | None:
        """Write how it ended; what somebody explained goes before `error`. None: it is known."""
        row = self._database.row(
            "UPDATE runs SET finished_at = ?2, status = ?3, output = ?5, address = NULL,"  # noqa: S608 - constant
            " pid = NULL, error = CASE error WHEN '' THEN ?4 ELSE error END"
            f" WHERE id = ?1 AND finished_at IS NULL RETURNING {COLUMNS}",
            *(run.id, time.time(), status, error, output),
        )
        return _run(row) if row else None

    def _why(self, run: Run, error: str) -> str:
        """Return why a run ended that is over already; with its app its row is gone."""
        row = self._database.row("SELECT error FROM runs WHERE id = ?", run.id)
        return (row["error"] or error) if row else "its app was destroyed"

    def _tell(self, run: Run) -> None:
        why = run.error or f"exited with code {run.status}"
        write_line(self._database, run.app_id, f"{_title(run)} failed: {why}")
        queue_notice(
            self._database,
            run.app_id,
            "cron_failed",
            job=run.job,
            command=run.command,
            run=run.process,
            status=run.status,
            reason=why,
        )


def _title(run: Run) -> str:
    return f"{run.process} ({run.command[:80]})"


def _run(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"],
        app_id=row["app_id"],
        kind=RunKind(row["kind"]),
        job=row["job"],
        version=row["version"],
        command=row["command"],
        actor=row["actor"],
        container_id=row["engine_id"],
        address=row["address"] or "",
        started_at=row["started_at"],
        due=row["due"],
        pid=row["pid"],
        pid_started=row["pid_started"],
        finished_at=row["finished_at"],
        status=row["status"],
        error=row["error"],
    )
