-- What happened, for `events`: to apps, and on the whole instance. An app's name outlives the app.
CREATE TABLE events (
  id      INTEGER PRIMARY KEY AUTOINCREMENT,
  at      REAL NOT NULL,
  app     TEXT NOT NULL,  -- '' for what concerns no app
  kind    TEXT NOT NULL,
  process TEXT NOT NULL,  -- 'web.1', or ''
  details TEXT NOT NULL CHECK (json_valid(details))
) STRICT;
CREATE INDEX events_of_app ON events (app, id);
