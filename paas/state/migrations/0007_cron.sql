-- One-off containers of run, cron and debug, and what came of them.
CREATE TABLE runs (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- the number in the container's name
  app_id      INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  kind        TEXT NOT NULL CHECK (kind IN ('run', 'cron', 'debug')),
  job         TEXT NOT NULL DEFAULT '',  -- of cron
  scheduled   REAL,  -- the minute that the schedule named; NULL when somebody asked for it
  version     INTEGER NOT NULL,
  command     TEXT NOT NULL,
  actor       TEXT NOT NULL,
  engine_id   TEXT NOT NULL DEFAULT '',  -- '' until the engine has made it
  address     TEXT UNIQUE,  -- NULL without one of its own, and when it is over
  started_at  REAL NOT NULL,
  due         REAL NOT NULL,  -- when it is ended
  pid         INTEGER,  -- of the process that it ends with; NULL when it runs on by itself
  pid_started INTEGER,
  finished_at REAL,
  status      INTEGER,
  error       TEXT NOT NULL DEFAULT '',  -- why it did not end by itself
  output      TEXT NOT NULL DEFAULT ''  -- the last lines of one that nobody watched
) STRICT;
CREATE INDEX runs_of_app ON runs (app_id);
CREATE INDEX runs_open ON runs (id) WHERE finished_at IS NULL;
-- No minute of a schedule is begun twice.
CREATE UNIQUE INDEX runs_once ON runs (app_id, job, scheduled) WHERE scheduled IS NOT NULL;

-- Jobs of cron:add; those of app.json stand in the release's manifest.
CREATE TABLE cron_jobs (
  app_id   INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  id       TEXT NOT NULL,
  schedule TEXT NOT NULL,
  command  TEXT NOT NULL,
  policy   TEXT NOT NULL CHECK (policy IN ('allow', 'forbid', 'replace')),
  PRIMARY KEY (app_id, id)
) STRICT, WITHOUT ROWID;
