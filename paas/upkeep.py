"""Work that takes minutes: started by the background process, never waited for."""

import os
import subprocess
import sys
from pathlib import Path

from paas.settings import Settings


def start_refresh(settings: Settings) -> None:
    """Start `paas.build.refresh` detached, its output in `<logs>/refresh.log`.

    It ends by itself, skips when another is at work, outlives a restart of the daemon, and leaves
    no zombie: setsid(1) forks and returns at once.
    """
    settings.logs.mkdir(parents=True, exist_ok=True)
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    with (settings.logs / "refresh.log").open("ab") as log:
        subprocess.run(
            ["setsid", "--fork", sys.executable, "-m", "paas.build.refresh"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environ,
            timeout=10,
            check=True,
        )
