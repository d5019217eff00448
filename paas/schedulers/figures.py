"""What a container's processes are and what they use, from the engine's own figures."""

import time
from collections.abc import Mapping
from typing import Any

from docker.errors import APIError, NotFound

from paas.schedulers.base import Usage
from paas.schedulers.engine import HTTP_CONFLICT, Engine

COLUMNS = "pid,user,pcpu,rss,stat,etime,args"
NANO = 1e9


def describe(engine: Engine, container_id: str) -> Mapping[str, Any]:
    """Return `GET /containers/{id}/json`; {} when the container is gone."""
    with engine.answering():
        try:
            return dict(engine.api.inspect_container(container_id))
        except NotFound:
            return {}


def top(engine: Engine, container_id: str) -> tuple[tuple[str, ...], ...]:
    """Return ps(1)'s table, as the host sees the processes."""
    with engine.answering():
        try:
            answer = engine.api.top(container_id, f"-o {COLUMNS}")
        except APIError as error:
            if isinstance(error, NotFound) or error.status_code == HTTP_CONFLICT:
                return ()
            if "is not running" in str(error):
                return ()
            raise
    return tuple(tuple(map(str, row)) for row in (answer["Titles"], *answer["Processes"]))


def usage(engine: Engine, container_id: str) -> Usage | None:
    """Return one look at the counters (`GET /containers/{id}/stats`), without waiting a second."""
    with engine.answering():
        api = engine.api
        url = f"{api.base_url}/v{api.api_version}/containers/{container_id}/stats"
        response = api.get(url, params={"stream": "0", "one-shot": "1"}, timeout=30)
        if response.status_code in {404, HTTP_CONFLICT}:
            return None
        response.raise_for_status()
        return from_stats(response.json(), time.time())


def from_stats(stats: Mapping[str, Any], at: float) -> Usage | None:
    """Read one answer; None for a container that does not run: its counters are empty.

    As `docker stats` does, memory is without the page cache that can be given back at any time.
    """
    memory = stats.get("memory_stats") or {}
    if "usage" not in memory:
        return None
    details = memory.get("stats", {})
    reclaimable = details.get("total_inactive_file", details.get("inactive_file", 0))
    networks = (stats.get("networks") or {}).values()
    return Usage(
        at=at,
        cpu=stats["cpu_stats"]["cpu_usage"]["total_usage"] / NANO,
        memory=max(memory["usage"] - reclaimable, 0),
        memory_limit=memory.get("limit", 0),
        received=sum(network["rx_bytes"] for network in networks),
        sent=sum(network["tx_bytes"] for network in networks),
        read=_blocks(stats, "read"),
        written=_blocks(stats, "write"),
        pids=(stats.get("pids_stats") or {}).get("current", 0),
    )


def _blocks(stats: Mapping[str, Any], operation: str) -> int:
    entries = (stats.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    return sum(entry["value"] for entry in entries if entry["op"].lower() == operation)
