-- Times are seconds since the epoch. Lists and mappings that are read as a whole are JSON.

CREATE TABLE apps (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: uids and paths follow it
  name          TEXT NOT NULL UNIQUE,
  network_index INTEGER NOT NULL UNIQUE CHECK (network_index BETWEEN 0 AND 2047),
  created_at    REAL NOT NULL,
  desired       TEXT NOT NULL DEFAULT 'running' CHECK (desired IN ('running', 'stopped')),
  deploy_branch TEXT,
  release_id    INTEGER REFERENCES releases (id) ON DELETE SET NULL
) STRICT;

CREATE TABLE config (
  app_id INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  key    TEXT NOT NULL,
  value  TEXT NOT NULL,
  PRIMARY KEY (app_id, key)
) STRICT;

CREATE TABLE domains (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,  -- the order in which they were added
  app_id INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  domain TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX domains_of_app ON domains (app_id);

CREATE TABLE deploys (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id      INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  state       TEXT NOT NULL CHECK (state IN ('received', 'building', 'built', 'releasing',
                'starting', 'healthy', 'switched', 'done', 'failed', 'cancelled')),
  actor       TEXT NOT NULL,
  reason      TEXT NOT NULL,
  commit_id   TEXT,
  branch      TEXT,
  started_at  REAL NOT NULL,
  finished_at REAL CHECK ((finished_at IS NOT NULL) = (state IN ('done', 'failed', 'cancelled'))),
  version     INTEGER,
  error       TEXT NOT NULL DEFAULT '',
  pid         INTEGER,
  undo        TEXT CHECK (undo IS NULL OR state = 'switched')  -- what the commit point replaced
) STRICT;
CREATE INDEX deploys_of_app ON deploys (app_id);
CREATE INDEX deploys_unfinished ON deploys (id) WHERE finished_at IS NULL;

CREATE TABLE releases (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id     INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  version    INTEGER NOT NULL CHECK (version > 0),
  image      TEXT NOT NULL,
  config     TEXT NOT NULL CHECK (json_valid(config)),
  processes  TEXT NOT NULL CHECK (json_valid(processes)),
  port       INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
  volumes    TEXT NOT NULL CHECK (json_valid(volumes)),
  commit_id  TEXT,
  deploy_id  INTEGER NOT NULL REFERENCES deploys (id),
  actor      TEXT NOT NULL,
  reason     TEXT NOT NULL,
  created_at REAL NOT NULL,
  UNIQUE (app_id, version)
) STRICT;
CREATE INDEX releases_of_deploy ON releases (deploy_id);

CREATE TABLE containers (
  id           INTEGER PRIMARY KEY,
  engine_id    TEXT NOT NULL DEFAULT '',  -- '' until the engine has made it
  app_id       INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  deploy_id    INTEGER NOT NULL REFERENCES deploys (id),
  process_type TEXT NOT NULL,
  slot         INTEGER NOT NULL CHECK (slot > 0),
  address      TEXT NOT NULL UNIQUE,
  port         INTEGER NOT NULL CHECK (port BETWEEN 1 AND 65535),
  role         TEXT NOT NULL CHECK (role IN ('starting', 'current', 'draining')),
  created_at   REAL NOT NULL,
  UNIQUE (deploy_id, process_type, slot)
) STRICT;
CREATE INDEX containers_of_app ON containers (app_id);
CREATE UNIQUE INDEX containers_by_engine_id ON containers (engine_id) WHERE engine_id <> '';

CREATE TABLE ssh_keys (
  name        TEXT PRIMARY KEY,
  type        TEXT NOT NULL,
  blob        TEXT NOT NULL,
  fingerprint TEXT NOT NULL UNIQUE,
  created_at  REAL NOT NULL
) STRICT;

CREATE TABLE formation (
  app_id       INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  process_type TEXT NOT NULL,
  quantity     INTEGER NOT NULL CHECK (quantity >= 0),
  PRIMARY KEY (app_id, process_type)
) STRICT;

CREATE TABLE security (
  app_id  INTEGER PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
  options TEXT NOT NULL CHECK (json_valid(options))  -- only what differs from the defaults
) STRICT;

CREATE TABLE properties (
  app_id INTEGER REFERENCES apps (id) ON DELETE CASCADE,  -- NULL: of the whole instance
  topic  TEXT NOT NULL,
  key    TEXT NOT NULL,
  value  TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX properties_by_key ON properties (coalesce(app_id, 0), topic, key);
