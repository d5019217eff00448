"""`paas upgrade`: goes to another version, from a checkout or from a release's archive.

It runs that version's own `bootstrap.sh`: the program comes beside the old one, the database
moves forward (a copy stays), and the daemon is exchanged. Apps and deploys at work go on.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from paas.errors import Forbidden, PaasError, UsageError

PROGRAM = "bootstrap.sh"
HINT = "Give a checkout's folder, or a release's .tar.gz"


def upgrade(args: list[str]) -> int:
    """Run the other version's bootstrap.sh; return its exit status. Raises PaasError."""
    if len(args) != 1:
        raise UsageError("upgrade takes one folder or archive", hint=HINT)
    if os.geteuid():
        raise Forbidden("This needs root", hint=f"Run: sudo paas upgrade {args[0]}")
    source = Path(args[0]).resolve()
    if source.is_dir():
        return _run(source)
    with tempfile.TemporaryDirectory(prefix="paas-upgrade-", dir="/var/tmp") as folder:
        return _run(_unpack(source, Path(folder)))


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack a release; return its one folder. Raises UsageError."""
    # tar itself leads nothing out of the folder, which Python's module learns in 3.11.4 only.
    command = ("tar", "-x", "--no-same-owner", "-f", str(archive), "-C", str(folder))
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        last = tuple(done.stderr.splitlines()[-3:])
        raise UsageError(f"{archive} cannot be unpacked", details=last, hint=HINT)
    found = [path.parent for path in (*folder.glob(PROGRAM), *folder.glob(f"*/{PROGRAM}"))]
    if len(found) != 1:
        raise UsageError(f"{archive} is no release of paas: it has no {PROGRAM}", hint=HINT)
    return found[0]


def _run(folder: Path) -> int:
    program = folder / PROGRAM
    if not program.is_file():
        raise UsageError(f"{folder} is no checkout of paas: it has no {PROGRAM}", hint=HINT)
    sys.stdout.write(f"-----> Upgrading from {folder}\n")
    sys.stdout.flush()
    try:  # without a timeout: it fetches packages
        return subprocess.run((str(program), "--no-demo"), check=False).returncode
    except OSError as error:
        raise PaasError(f"{program} cannot be run: {error.strerror}", hint=HINT) from error
