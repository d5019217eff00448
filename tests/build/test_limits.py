"""The cgroup limits of builds, on trees of files like the kernel's."""

from pathlib import Path

from paas.build.limits import GROUP, check_limits, limit_builds
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


def test_with_the_systemd_driver_doctor_says_that_builds_have_no_limit() -> None:
    finding = check_limits(Settings(), "systemd")
    assert finding.level == "warn"
    assert "native.cgroupdriver=cgroupfs" in finding.hint
