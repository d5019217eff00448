"""The jobs of apps: those of the current releases' app.json, and those that were added."""

import json
import sqlite3
from collections.abc import Iterator

from paas.errors import Conflict, NotFound
from paas.manifest import CronTask, Overlap
from paas.state.database import Database
from paas.tasks import CronJob

OF_APP_JSON = (
    "SELECT apps.id AS app_id, json_extract(manifest, '$.cron') AS cron FROM apps"
    " JOIN releases ON releases.id = apps.release_id"
    " WHERE json_extract(manifest, '$.cron') IS NOT NULL AND"
)
ADDED = (
    "SELECT cron_jobs.* FROM cron_jobs JOIN apps ON apps.id = app_id"
    " WHERE apps.release_id IS NOT NULL AND"
)
ORDER = "ORDER BY app_id, cron_jobs.schedule, cron_jobs.id"


class SqliteCronJobs:
    """See base.CronJobs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, app: int) -> tuple[CronJob, ...]:
        stored = self._database.rows(
            "SELECT * FROM cron_jobs WHERE app_id = ? ORDER BY schedule, id", app
        )
        return (*self._jobs_of_app_json("apps.id = ?", app), *map(_added, stored))

    def list(self) -> tuple[CronJob, ...]:
        rows = self._database.rows(f"{ADDED} apps.desired = 'running' {ORDER}")
        return (*self._jobs_of_app_json("apps.desired = 'running'"), *map(_added, rows))

    def add(self, app: int, job: CronJob) -> None:
        with self._database.write():
            if any(job.id == other.id for other in self.of(app)):
                raise Conflict(
                    "There is a job with this schedule and command already",
                    hint="See cron:list APP; to run it now: cron:run APP JOB",
                )
            task = job.task
            self._database.execute(
                "INSERT INTO cron_jobs (app_id, id, schedule, command, policy)"
                " VALUES (?, ?, ?, ?, ?)",
                *(app, job.id, task.schedule, task.command, task.overlap),
            )

    def remove(self, app: int, job: str) -> None:
        with self._database.write():
            done = self._database.execute(
                "DELETE FROM cron_jobs WHERE app_id = ? AND id = ?", app, job
            )
        if not done:
            raise NotFound(
                f"No job {job} was added",
                hint="See cron:list APP; jobs of app.json are removed there, with the next push",
            )

    def _jobs_of_app_json(self, where: str, *values: int) -> Iterator[CronJob]:
        for row in self._database.rows(f"{OF_APP_JSON} {where} ORDER BY apps.id", *values):
            for task in json.loads(row["cron"]):
                yield CronJob(
                    row["app_id"], CronTask(**{**task, "overlap": Overlap(task["overlap"])})
                )


def _added(row: sqlite3.Row) -> CronJob:
    task = CronTask(row["schedule"], row["command"], Overlap(row["policy"]))
    return CronJob(row["app_id"], task, is_added=True)
