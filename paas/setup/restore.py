"""Put firewall and routes back at boot, before nginx and containers, without the daemon."""

import subprocess
import sys

from paas.proxies.routes import restore_commands
from paas.settings import Settings, load


def restore(settings: Settings) -> int:
    """Run the commands; return the worst exit status. Nothing is done before the first setup."""
    if not (settings.root / "nft" / "paas.nft").exists():
        return 0
    return max(
        subprocess.run(command, timeout=60, check=False).returncode
        for command in restore_commands(settings)
    )


if __name__ == "__main__":
    sys.exit(restore(load()))
