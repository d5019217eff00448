"""The engine's figures of a container, as it gives them on cgroup v1 and v2."""

from typing import Any

import pytest

from paas.schedulers.base import Usage
from paas.schedulers.figures import from_stats
from paas.settings import MB

# Shortened answers of `GET /containers/{id}/stats?stream=0&one-shot=1`, engine 20.10.
V1 = {
    "cpu_stats": {"cpu_usage": {"total_usage": 1_500_000_000}},
    "memory_stats": {
        "usage": 30 * MB,
        "max_usage": 40 * MB,
        # without total_: of this group alone, not of those below it
        "stats": {"total_inactive_file": 10 * MB, "inactive_file": 1 * MB},
        "limit": 64 * MB,
    },
    "pids_stats": {"current": 3, "limit": 99},
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"major": 8, "minor": 0, "op": "Read", "value": 5},
            {"major": 8, "minor": 0, "op": "Write", "value": 7},
            {"major": 8, "minor": 0, "op": "Total", "value": 12},
        ]
    },
    "networks": {"eth0": {"rx_bytes": 11, "tx_bytes": 13}},
}
V2 = V1 | {
    "memory_stats": {
        "usage": 30 * MB,
        "stats": {"inactive_file": 10 * MB, "active_file": 2 * MB, "anon": 18 * MB},
        "limit": 64 * MB,
    },
    "blkio_stats": {
        "io_service_bytes_recursive": [
            {"major": 254, "minor": 0, "op": "read", "value": 5},
            {"major": 254, "minor": 0, "op": "write", "value": 7},
        ]
    },
}
EMPTY = {"cpu_stats": {"cpu_usage": {"total_usage": 0}}, "memory_stats": {}, "pids_stats": {}}


@pytest.mark.parametrize("answer", [V1, V2], ids=["v1", "v2"])
def test_the_same_use_is_read_from_both_versions(answer: dict[str, Any]) -> None:
    assert from_stats(answer, 2.0) == Usage(
        at=2.0,
        cpu=1.5,
        memory=20 * MB,
        memory_limit=64 * MB,
        received=11,
        sent=13,
        read=5,
        written=7,
        pids=3,
    )


def test_a_container_that_has_not_touched_the_disk_yet_has_no_entries() -> None:
    usage = from_stats(V2 | {"blkio_stats": {"io_service_bytes_recursive": None}}, 2.0)
    assert usage is not None
    assert (usage.read, usage.written) == (0, 0)


def test_a_container_that_does_not_run_has_no_figures() -> None:
    assert from_stats(EMPTY, 2.0) is None
