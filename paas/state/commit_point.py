"""THE commit point: what makes a candidate the current release, and what takes that back.

Both are called inside a write(), so each happens as a whole or not at all.
"""

import json
import time
from collections.abc import Mapping, Sequence

from paas.errors import Cancelled, Conflict
from paas.model import Candidate, Container, Deploy, DeployState, Release
from paas.state.config import read_config, write_config
from paas.state.containers import make_current, read_roles, restore_roles
from paas.state.database import Database
from paas.state.formation import read_formation, write_formation
from paas.state.releases import manifest_text, release_from
from paas.state.steps import STEPS, step


def commit(
    database: Database,
    deploy: Deploy,
    candidate: Candidate,
    containers: Sequence[Container],
    config: Mapping[str, str] | None,
) -> Release:
    """Do what base.Deploys.commit says. Raises Cancelled or Conflict if the deploy is over."""
    _refuse_if_over(deploy)
    undo = _snapshot(database, deploy.app_id)
    release = _insert_release(database, deploy, candidate)
    database.execute(
        "UPDATE apps SET release_id = ?, desired = 'running' WHERE id = ?",
        *(release.id, deploy.app_id),
    )
    if config is not None:
        write_config(database, deploy.app_id, config)
    make_current(database, deploy.app_id, containers)
    database.execute(
        f"UPDATE deploys SET state = 'switched', version = ?, undo = ?, {STEPS} WHERE id = ?",  # noqa: S608 - constant
        *(release.version, undo, step(DeployState.SWITCHED), deploy.id),
    )
    return release


def replace(
    database: Database,
    deploy: Deploy,
    containers: Sequence[Container],
    formation: Mapping[str, int] | None,
) -> None:
    """Do what base.Deploys.replace says. Raises Cancelled or Conflict if the deploy is over."""
    _refuse_if_over(deploy)
    undo = _snapshot(database, deploy.app_id)
    database.execute("UPDATE apps SET desired = 'running' WHERE id = ?", deploy.app_id)
    if formation is not None:
        write_formation(database, deploy.app_id, formation)
    make_current(database, deploy.app_id, containers)
    database.execute(
        f"UPDATE deploys SET state = 'switched', undo = ?, {STEPS} WHERE id = ?",  # noqa: S608 - constant
        *(undo, step(DeployState.SWITCHED), deploy.id),
    )


def revert(database: Database, deploy: Deploy) -> None:
    """Do what base.Deploys.revert says, but for the deploy's state.

    Raises Conflict unless the deploy is SWITCHED, and is the last that changed the app.
    """
    row = database.row(
        "SELECT deploys.undo, apps.release_id AS current, releases.id AS made FROM deploys"
        " JOIN apps ON apps.id = deploys.app_id"
        " LEFT JOIN releases ON releases.deploy_id = deploys.id WHERE deploys.id = ?",
        deploy.id,
    )
    is_last = row is not None and row["made"] in {None, row["current"]}
    if deploy.state is not DeployState.SWITCHED or row is None or not is_last:
        raise Conflict(f"Deploy {deploy.id} changed nothing that could be taken back")
    before = json.loads(row["undo"])
    database.execute(
        "UPDATE apps SET release_id = ?, desired = ? WHERE id = ?",
        *(before["release"], before["desired"], deploy.app_id),
    )
    write_config(database, deploy.app_id, before["config"])
    write_formation(database, deploy.app_id, before["formation"])
    restore_roles(database, before["roles"])
    database.execute("DELETE FROM releases WHERE deploy_id = ?", deploy.id)
    database.execute("UPDATE deploys SET version = NULL WHERE id = ?", deploy.id)


def cancelled(deploy: Deploy) -> Cancelled:
    """Return the error for a deploy that somebody has cancelled."""
    by = f" by {deploy.cancelled_by}" if deploy.cancelled_by else ""
    return Cancelled(f"The deploy was cancelled{by}", hint="Push again to deploy.")


def _refuse_if_over(deploy: Deploy) -> None:
    if deploy.cancelled_by or deploy.state is DeployState.CANCELLED:
        raise cancelled(deploy)
    if deploy.state.is_final or deploy.state is DeployState.SWITCHED:
        raise Conflict(f"Deploy {deploy.id} is {deploy.state} already")


def _snapshot(database: Database, app: int) -> str:
    row = database.row("SELECT release_id, desired FROM apps WHERE id = ?", app)
    assert row is not None  # noqa: S101 - for the type checker: the deploy's row refers to it
    return json.dumps(
        {
            "release": row["release_id"],
            "desired": row["desired"],
            "config": read_config(database, app),
            "formation": read_formation(database, app),
            "roles": read_roles(database, app),
        }
    )


def _insert_release(database: Database, deploy: Deploy, candidate: Candidate) -> Release:
    row = database.row(
        "INSERT INTO releases (app_id, version, image, config, processes, port, volumes,"
        " commit_id, deploy_id, actor, reason, created_at, manifest, inherited, detected_port)"
        " SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12,"
        " ?13, ?14"
        " FROM releases WHERE app_id = ?1 RETURNING *",
        deploy.app_id,
        candidate.image.id,
        json.dumps(dict(candidate.config)),
        json.dumps([[process.name, process.command] for process in candidate.processes]),
        candidate.port,
        json.dumps(candidate.image.volumes),
        candidate.commit,
        deploy.id,
        deploy.actor,
        deploy.reason,
        time.time(),
        manifest_text(candidate.manifest),
        json.dumps(candidate.inherited),
        candidate.detected_port,
    )
    assert row is not None  # noqa: S101 - for the type checker: RETURNING gives a row
    return release_from(row)
