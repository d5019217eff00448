-- Why a process does not run; with it, when to look after it again, and whether paas has given up.
ALTER TABLE containers ADD COLUMN trouble TEXT NOT NULL DEFAULT '';
ALTER TABLE containers ADD COLUMN due REAL NOT NULL DEFAULT 0;
ALTER TABLE containers ADD COLUMN parked INTEGER NOT NULL DEFAULT 0 CHECK (parked IN (0, 1));

-- What befell current processes: crashes, starts that had to be made, ends that somebody asked for.
CREATE TABLE ends (
  container_id INTEGER NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
  ended        REAL NOT NULL,  -- the engine's time: it tells one end from another
  at           REAL NOT NULL,
  kind         TEXT NOT NULL CHECK (kind IN ('crash', 'start', 'hand')),
  PRIMARY KEY (container_id, ended)
) STRICT, WITHOUT ROWID;

-- What paas itself has to say among an app's log lines.
CREATE TABLE journal (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  at     REAL NOT NULL,
  text   TEXT NOT NULL
) STRICT;
CREATE INDEX journal_of_app ON journal (app_id, id);

-- Notices on their way out, written together with what they tell.
CREATE TABLE notices (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id   INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  body     TEXT NOT NULL CHECK (json_valid(body)),
  due      REAL NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  error    TEXT NOT NULL DEFAULT ''  -- of the last attempt
) STRICT;
CREATE INDEX notices_by_due ON notices (due);
