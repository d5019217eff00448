"""What a clone of an app has in common with it.

Not walls and limits: who may clone an app may not open these (paas.identity.copy hands them on).
"""

from paas.state.database import Database

# Not the lock or the first push of an app, its limits, and how often its processes were restarted.
COPIED = (
    "INSERT INTO config (app_id, key, value) SELECT ?1, key, value FROM config WHERE app_id = ?2",
    "INSERT INTO formation SELECT ?1, process_type, quantity FROM formation WHERE app_id = ?2",
    """INSERT INTO properties SELECT ?1, topic, key, value FROM properties
       WHERE app_id = ?2 AND topic NOT IN ('apps', 'resource', 'liveness')""",
    "UPDATE apps SET deploy_branch = (SELECT deploy_branch FROM apps WHERE id = ?2) WHERE id = ?1",
)


def copy_settings(database: Database, source: int, target: int) -> None:
    """Give an app that was just created the settings of another; not its domains."""
    with database.write():
        for statement in COPIED:
            database.execute(statement, target, source)
