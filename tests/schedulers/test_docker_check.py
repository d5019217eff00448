from pathlib import Path
from typing import Any

import pytest

from paas.model import Finding
from paas.schedulers import docker_check, user_map
from paas.schedulers.engine import Engine
from tests.contracts.engines import LOCAL
from tests.schedulers.specs import make_settings

GOOD_INFO = {
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=userns"],
    "MemoryLimit": True,
    "PidsLimit": True,
    "CPUShares": True,
    "CgroupVersion": "2",
    "LiveRestoreEnabled": True,
    "Driver": "overlay2",
    "DockerRootDir": "/var/lib/docker/1000000.1000000",
}


@pytest.fixture(autouse=True)
def _ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Map a million users, from the millionth on."""
    ranges = tmp_path / "ranges"
    ranges.write_text("dockremap:1000000:1000000\n")
    monkeypatch.setattr(user_map, "RANGES", (ranges, ranges))


def findings(
    info: dict[str, Any] | None = None, engine: str = "28.2.2", runc: str = "1.3.3"
) -> dict[str, Finding]:
    version = {"Version": engine, "Components": [{"Name": "runc", "Version": runc}]}
    found = docker_check._findings({**GOOD_INFO, **(info or {})}, version, make_settings())
    return {f.check: f for f in found if f.check != "engine socket"}


def test_a_good_host_has_nothing_to_say() -> None:
    assert {f.level for f in findings().values()} == {"ok"}


@pytest.mark.parametrize(
    ("engine", "level"),
    [("19.3.1", "fail"), ("20.10.24+dfsg1", "warn"), ("26.1.5", "warn"), ("28.0.0-rc", "ok")],
)
def test_the_engine_has_a_floor_and_a_preferred_version(engine: str, level: str) -> None:
    assert findings(engine=engine)["engine"].level == level


@pytest.mark.parametrize(
    ("runc", "level"),
    [
        ("1.1.5+ds1", "warn"),
        ("1.2.7", "warn"),
        ("1.2.8", "ok"),
        ("1.3.2", "warn"),
        ("1.4.0", "ok"),
        ("", "warn"),
    ],
)
def test_runc_with_known_holes_is_named(runc: str, level: str) -> None:
    assert findings(runc=runc)["runc"].level == level


@pytest.mark.parametrize(
    ("info", "check", "level"),
    [
        ({"SecurityOptions": ["name=seccomp,profile=builtin"]}, "security module", "warn"),
        ({"SecurityOptions": ["name=seccomp,profile=builtin"]}, "user namespaces", "warn"),
        ({"DockerRootDir": "/var/lib/docker/231072.231072"}, "user namespaces", "fail"),
        ({"DockerRootDir": "/data/docker"}, "user namespaces", "warn"),
        ({"SecurityOptions": None}, "seccomp", "fail"),
        ({"MemoryLimit": False}, "cgroups", "fail"),
        ({"CgroupVersion": "1"}, "cgroups", "warn"),
        ({"LiveRestoreEnabled": False}, "live-restore", "warn"),
        ({"Driver": "vfs"}, "storage driver", "warn"),
    ],
)
def test_each_missing_wall_is_a_finding_with_a_hint(
    info: dict[str, Any], check: str, level: str
) -> None:
    found = findings(info)[check]
    assert (found.level, bool(found.hint)) == (level, True)


def test_a_socket_that_all_may_write_is_a_failure(tmp_path: Path) -> None:
    socket = tmp_path / "docker.sock"
    socket.touch()
    socket.chmod(0o666)
    assert docker_check._socket(socket).level == "fail"
    socket.chmod(0o660)
    assert docker_check._socket(socket).level == "ok"


@pytest.mark.engine
def test_the_real_engine_answers_every_check() -> None:
    engine = Engine(LOCAL)
    found = docker_check.findings(engine, make_settings())
    engine.close()
    assert {f.check for f in found} >= {"engine", "runc", "seccomp", "cgroups", "engine socket"}
