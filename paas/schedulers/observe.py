"""The engine's answers about containers become Observed."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict

from docker import APIClient
from docker.errors import NotFound

from paas.model import ProcessState
from paas.schedulers.base import Observed

STATES = {
    "created": ProcessState.CREATED,
    "running": ProcessState.RUNNING,
    "paused": ProcessState.PAUSED,
    "restarting": ProcessState.RESTARTING,
    "exited": ProcessState.EXITED,
    "dead": ProcessState.EXITED,
    "removing": ProcessState.MISSING,
}
EXITED = re.compile(r"(?:Exited|Restarting) \((-?[0-9]+)\)", re.ASCII)


def missing(container_id: str) -> Observed:
    """Return what is known of a container that is gone."""
    return Observed(container_id, "", ProcessState.MISSING)


def observe(api: APIClient, container_id: str) -> Observed:
    """Ask the engine about one container; state MISSING when it is gone. Raises docker's errors."""
    try:
        return from_inspect(api.inspect_container(container_id))
    except NotFound:
        return missing(container_id)


def from_inspect(answer: Mapping[str, Any]) -> Observed:
    """Read `GET /containers/{id}/json`."""
    state = answer["State"]
    name = STATES[state["Status"]]
    return Observed(
        id=answer["Id"],
        name=answer["Name"].lstrip("/"),
        state=name,
        exit_code=None
        if name in {ProcessState.CREATED, ProcessState.RUNNING, ProcessState.PAUSED}
        else state["ExitCode"],
        oom_killed=state["OOMKilled"],
        started_at=_seconds(state["StartedAt"]),
        finished_at=_seconds(state["FinishedAt"]),
        pid=state["Pid"],
        **_places(answer),
        restarts=answer["RestartCount"],
        memory=answer["HostConfig"]["Memory"],
    )


def from_list(entry: Mapping[str, Any]) -> Observed:
    """Read one entry of `GET /containers/json`: no pid, times or restarts stand there."""
    exited = EXITED.match(entry["Status"])
    return Observed(
        id=entry["Id"],
        name=entry["Names"][0].lstrip("/") if entry["Names"] else "",
        state=STATES[entry["State"]],
        exit_code=int(exited[1]) if exited else None,
        **_places(entry),
    )


class _Places(TypedDict):
    address: str
    beside: frozenset[str]


def _places(answer: Mapping[str, Any]) -> _Places:
    """Return the fixed address on the app's own network, and the names of all other networks."""
    networks = answer["NetworkSettings"]["Networks"] or {}
    own = answer["HostConfig"]["NetworkMode"]
    return {"address": _address(networks.get(own) or {}), "beside": frozenset(networks) - {own}}


def _address(network: Mapping[str, Any]) -> str:
    """Return the fixed address; a stopped container has only the configured one."""
    configured = (network.get("IPAMConfig") or {}).get("IPv4Address", "")
    return str(network.get("IPAddress") or configured)


def _seconds(stamp: str) -> float:
    """Parse RFC 3339 with up to nine digits of fraction; the engine's zero time is year 1."""
    whole, _, fraction = stamp.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    return moment.timestamp() + float(f"0.{fraction or 0}") if moment.year > 1 else 0.0
