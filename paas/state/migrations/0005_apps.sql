-- Config vars of all apps stand beside those of one: app_id NULL.
CREATE TABLE config_of_all (
  app_id INTEGER REFERENCES apps (id) ON DELETE CASCADE,
  key    TEXT NOT NULL,
  value  TEXT NOT NULL
) STRICT;
INSERT INTO config_of_all SELECT app_id, key, value FROM config;
DROP TABLE config;
ALTER TABLE config_of_all RENAME TO config;
CREATE UNIQUE INDEX config_by_key ON config (coalesce(app_id, 0), key);
CREATE INDEX config_of_app ON config (app_id);

-- Keys of a release's config that were those of all apps; the port without ports:set.
ALTER TABLE releases ADD COLUMN inherited TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(inherited));
ALTER TABLE releases ADD COLUMN detected_port INTEGER;
