import os
import subprocess
from pathlib import Path

import pytest

from paas.settings import Settings
from paas.upkeep import start_refresh


def children() -> set[str]:
    """Return the pids of this process's children; other tests may have left some."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_the_refresh_is_no_child_of_the_process_that_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAAS_ROOT", str(tmp_path))  # it has no run directory: it ends at once
    before = children()
    start_refresh(Settings(root=tmp_path))
    assert (tmp_path / "log" / "refresh.log").exists()
    assert children() <= before


def test_a_refresh_that_cannot_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises((OSError, subprocess.SubprocessError)):
        start_refresh(Settings(root=tmp_path))
    assert (tmp_path / "log" / "refresh.log").exists()
