"""Put firewall, routes and volumes back at boot, before nginx and containers start."""

import subprocess
import sys

from paas.proxies.routes import restore_commands
from paas.schedulers import volumes
from paas.settings import Settings, load


def restore(settings: Settings) -> int:
    """Run the commands; return the worst exit status. Nothing is done before the first setup."""
    wall = settings.root / "nft" / "paas.nft"
    if not wall.exists():
        if settings.config.exists():
            sys.stderr.write(f"There is no {wall}: is its disk mounted?\n")
        return int(settings.config.exists())
    done = [
        subprocess.run(command, timeout=60, check=False).returncode
        for command in restore_commands(settings)
    ]
    failed = volumes.attach_all(settings)  # last: the wall waits for no disk
    return max(*done, int(bool(failed)))


if __name__ == "__main__":
    sys.exit(restore(load()))
