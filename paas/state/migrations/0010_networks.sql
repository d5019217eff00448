-- Networks that chosen apps share, which apps are on them, and each process's fixed place there.
CREATE TABLE networks (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  name          TEXT NOT NULL UNIQUE,
  network_index INTEGER NOT NULL UNIQUE CHECK (network_index BETWEEN 0 AND 2044),  -- the first of 4
  owner         TEXT REFERENCES users (name) ON DELETE SET NULL,  -- NULL: an admin's
  created_at    REAL NOT NULL
) STRICT;

CREATE TABLE attachments (
  app_id     INTEGER NOT NULL REFERENCES apps (id) ON DELETE CASCADE,
  network_id INTEGER NOT NULL REFERENCES networks (id),
  phase      TEXT NOT NULL
               CHECK (phase IN ('initial-network', 'attach-post-create', 'attach-post-deploy')),
  PRIMARY KEY (app_id, network_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX attachments_of_network ON attachments (network_id);

-- Counted from the network's first address, so that a backup fits into another host's range.
CREATE TABLE seats (
  container_id INTEGER NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
  network_id   INTEGER NOT NULL REFERENCES networks (id) ON DELETE CASCADE,
  seat         INTEGER NOT NULL CHECK (seat BETWEEN 2 AND 63),
  PRIMARY KEY (container_id, network_id),
  UNIQUE (network_id, seat)
) STRICT, WITHOUT ROWID;
