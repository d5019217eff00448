-- The certificate that an app's domains are served with, and its private key, as PEM.
CREATE TABLE certificates (
  app_id   INTEGER PRIMARY KEY REFERENCES apps (id) ON DELETE CASCADE,
  chain    TEXT NOT NULL,
  key      TEXT NOT NULL,
  names    TEXT NOT NULL CHECK (json_valid(names)),  -- the host names it is good for
  added_at REAL NOT NULL
) STRICT;
