"""Users of containers and of the host, where the engine maps them."""

from pathlib import Path
from typing import Any

import pytest

from paas.schedulers import user_map as module
from paas.schedulers.user_map import UserMap, user_map

REMAPPED: dict[str, Any] = {
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=userns"],
    "DockerRootDir": "/var/lib/docker/1000000.1000001",
}


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (REMAPPED, UserMap(1_000_000, 1_000_001)),
        ({**REMAPPED, "SecurityOptions": ["name=seccomp"]}, UserMap()),
        ({**REMAPPED, "SecurityOptions": None}, UserMap()),
        ({**REMAPPED, "DockerRootDir": "/var/lib/docker"}, UserMap()),
        ({**REMAPPED, "DockerRootDir": "/data/1.2.3"}, UserMap()),
    ],
)
def test_the_map_is_read_from_where_the_engine_keeps_its_data(
    info: dict[str, Any], expected: UserMap
) -> None:
    assert user_map(info) == expected


@pytest.mark.parametrize(
    ("users", "groups", "expected"),
    [
        ("dockremap:1000000:1000000\n", "dockremap:1000001:300000", True),
        ("dockremap:1000000:1000000\n", "dockremap:1000001:65536\n", False),
        ("dockremap:1000000:299999\n", "dockremap:1000001:300000\n", False),
        ("ben:1:9\n# dockremap\n0:1000000:300000\n", "x:1000001:1\nx:1000001:400000\n", True),
        ("", "dockremap:1000001:300000\n", False),
    ],
)
def test_a_range_must_hold_the_apps_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, users: str, groups: str, *, expected: bool
) -> None:
    files = (tmp_path / "subuid", tmp_path / "subgid")
    for file, text in zip(files, (users, groups), strict=True):
        file.write_text(text)
    monkeypatch.setattr(module, "RANGES", files)
    assert UserMap(1_000_000, 1_000_001).is_wide_enough == expected


def test_without_a_map_all_users_are_there() -> None:
    assert UserMap().is_wide_enough
