import os
import subprocess
from pathlib import Path

import pytest

from paas.settings import Settings
from paas.upkeep import start_refresh


def test_the_refresh_is_no_child_of_the_process_that_starts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAAS_ROOT", str(tmp_path))  # it has no run directory: it ends at once
    start_refresh(Settings(root=tmp_path))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_refresh_that_cannot_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises((OSError, subprocess.SubprocessError)):
        start_refresh(Settings(root=tmp_path))
    assert (tmp_path / "log" / "refresh.log").exists()
