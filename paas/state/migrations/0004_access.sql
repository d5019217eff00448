CREATE TABLE users (
  name       TEXT PRIMARY KEY,
  role       TEXT NOT NULL CHECK (role IN ('admin', 'member')),
  created_at REAL NOT NULL
) STRICT;

-- Whoever had a key could do everything that can be done over ssh: they still can.
INSERT INTO users (name, role, created_at) SELECT name, 'admin', created_at FROM ssh_keys;

CREATE TABLE keys_of_users (
  name        TEXT PRIMARY KEY,
  user        TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
  type        TEXT NOT NULL,
  blob        TEXT NOT NULL,
  fingerprint TEXT NOT NULL UNIQUE,
  created_at  REAL NOT NULL
) STRICT;
INSERT INTO keys_of_users (name, user, type, blob, fingerprint, created_at)
  SELECT name, name, type, blob, fingerprint, created_at FROM ssh_keys;
DROP TABLE ssh_keys;
ALTER TABLE keys_of_users RENAME TO ssh_keys;
CREATE INDEX ssh_keys_of_user ON ssh_keys (user);

CREATE TABLE grants (
  user   TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
  app_id INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  role   TEXT NOT NULL CHECK (role IN ('viewer', 'deployer', 'owner')),
  PRIMARY KEY (user, app_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX grants_of_app ON grants (app_id);

-- Keys of machines: one app, a few verbs.
CREATE TABLE tokens (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  app_id      INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  name        TEXT NOT NULL,
  verbs       TEXT NOT NULL CHECK (json_valid(verbs)),
  type        TEXT NOT NULL,
  blob        TEXT NOT NULL,
  fingerprint TEXT NOT NULL UNIQUE,
  created_by  TEXT NOT NULL,
  created_at  REAL NOT NULL,
  expires_at  REAL,  -- NULL: never
  UNIQUE (app_id, name)
) STRICT;

-- Every command that was typed. Apps and users are words here: the log outlives them.
CREATE TABLE audit (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  at          REAL NOT NULL,
  actor       TEXT NOT NULL,
  door        TEXT NOT NULL,
  fingerprint TEXT,
  verb        TEXT NOT NULL,
  app         TEXT,
  about       TEXT NOT NULL,  -- names of keys, users, roles; never a value
  status      INTEGER,  -- NULL while the command is at work, or when it was killed
  seconds     REAL
) STRICT;
CREATE INDEX audit_by_actor ON audit (actor, id);
CREATE INDEX audit_by_app ON audit (app, id);
