ALTER TABLE releases ADD COLUMN manifest TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(manifest));

-- [[state, time], ...] in the order in which the states were entered
ALTER TABLE deploys ADD COLUMN steps TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(steps));
ALTER TABLE deploys ADD COLUMN pid_started INTEGER;  -- with pid it names one process for ever
ALTER TABLE deploys ADD COLUMN cancelled_by TEXT;  -- who asked; the deploy undoes itself
