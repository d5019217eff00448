"""The cgroup limits of builds, on trees of files like the kernel's."""

import time
from pathlib import Path

from paas.build.limits import GROUP, check_limits, limit_builds, limited
from paas.settings import MB, Settings

SETTINGS = Settings(build_memory=1024 * MB, max_builds=2)


def make_files(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("max\n")


def test_both_limits_are_set_on_cgroup_v1(tmp_path: Path) -> None:
    memory, pids = f"memory/{GROUP}/memory.limit_in_bytes", f"pids/{GROUP}/pids.max"
    make_files(tmp_path, memory, pids)
    assert limit_builds(SETTINGS, tmp_path).level == "ok"
    assert (tmp_path / memory).read_text() == str(2048 * MB)
    assert (tmp_path / pids).read_text() == "2048"


def test_both_limits_are_set_on_cgroup_v2_and_handed_down(tmp_path: Path) -> None:
    controls = ("cgroup.controllers", "cgroup.subtree_control", "docker/cgroup.subtree_control")
    make_files(tmp_path, *controls, f"{GROUP}/memory.max", f"{GROUP}/pids.max")
    assert limit_builds(SETTINGS, tmp_path).level == "ok"
    assert (tmp_path / GROUP / "memory.max").read_text() == str(2048 * MB)
    assert (tmp_path / GROUP / "pids.max").read_text() == "2048"
    assert (tmp_path / "docker/cgroup.subtree_control").read_text() == "+memory +pids"


def test_a_host_without_these_files_gets_a_warning_with_a_hint(tmp_path: Path) -> None:
    finding = limit_builds(SETTINGS, tmp_path)
    assert (finding.check, finding.level) == ("build limits", "warn")
    assert finding.hint


def make_step(root: Path) -> Path:
    """Make a group as runc does for a step of an engine with the systemd driver."""
    group = root / "system.slice/system.slice:docker:7qfja2bu4qx4xrs2nxjebblpk"
    make_files(group, "memory.max", "pids.max")
    return group


def await_limits(group: Path, memory: int) -> None:
    deadline = time.monotonic() + 10
    while (group / "memory.max").read_text() != str(memory):
        assert time.monotonic() < deadline, "the step has no limit"
        time.sleep(0.01)


def test_with_the_systemd_driver_each_step_is_limited_when_it_appears(tmp_path: Path) -> None:
    make_files(tmp_path, "cgroup.controllers", "system.slice/docker.service/memory.max")
    with limited(SETTINGS, tmp_path):
        first, second = make_step(tmp_path), make_step(tmp_path / "system.slice")
        await_limits(first, 1024 * MB)
    assert (first / "pids.max").read_text() == "1024"
    assert (second / "memory.max").read_text() == "max\n"  # not beside the engine's own group
    assert (tmp_path / "system.slice/docker.service/memory.max").read_text() == "max\n"


def test_a_step_that_ends_meanwhile_does_not_keep_the_next_from_its_limits(tmp_path: Path) -> None:
    make_files(tmp_path, "cgroup.controllers")
    (tmp_path / "system.slice/system.slice:docker:1gone").mkdir(parents=True)
    with limited(SETTINGS, tmp_path):
        await_limits(make_step(tmp_path), 1024 * MB)


def test_doctor_says_what_a_step_has_with_the_systemd_driver(tmp_path: Path) -> None:
    make_files(tmp_path, "cgroup.controllers", "system.slice/docker.service/memory.max")
    finding = check_limits(SETTINGS, "systemd", tmp_path)
    assert (finding.level, finding.message) == ("ok", "Each build step has 1024 MB")


def test_on_cgroup_v1_the_systemd_driver_leaves_builds_without_limits(tmp_path: Path) -> None:
    make_files(tmp_path, "system.slice/cgroup.procs")
    finding = check_limits(SETTINGS, "systemd", tmp_path)
    assert finding.level == "warn"
    assert "systemd.unified_cgroup_hierarchy=1" in finding.hint
