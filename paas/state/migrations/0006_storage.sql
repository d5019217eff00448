-- Named volumes: a file system of a fixed size each, which belongs to one app at a time.
CREATE TABLE volumes (
  name       TEXT PRIMARY KEY,
  size       INTEGER NOT NULL CHECK (size > 0),  -- bytes
  created_at REAL NOT NULL,
  app_id     INTEGER REFERENCES apps (id) ON DELETE SET NULL  -- whose files are in it
) STRICT;

CREATE TABLE mounts (
  id            INTEGER PRIMARY KEY,
  app_id        INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  volume        TEXT NOT NULL REFERENCES volumes (name),
  container_dir TEXT NOT NULL,
  process_type  TEXT NOT NULL DEFAULT '',  -- '': of all types
  readonly      INTEGER NOT NULL DEFAULT 0 CHECK (readonly IN (0, 1)),
  UNIQUE (app_id, container_dir, process_type)
) STRICT;
