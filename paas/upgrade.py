"""`paas upgrade`: goes to another version, from a checkout or from a release's archive.

It runs that version's own `bootstrap.sh`: the program comes beside the old one, the database
moves forward (a copy stays), and the daemon is exchanged. Apps and deploys at work go on.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from paas.errors import Forbidden, PaasError, UsageError
from paas.settings import Settings
from paas.state.migrate import refuse_newer

PROGRAM = "bootstrap.sh"
MIGRATIONS = "paas/state/migrations"
UNPACKED = Path("/var/tmp")  # noqa: S108 - a folder of our own is made in it
LEFT = 24 * 3600  # seconds after which an unpacked release is nobody's
HINT = "Give a checkout's folder, or a release's .tar.gz"


def upgrade(settings: Settings, args: list[str]) -> int:
    """Run the other version's bootstrap.sh; return its exit status.

    Raises PaasError for what is no version, and for one that is too old for the database: then
    nothing was changed. While another is at work, the bootstrap.sh of the second refuses.
    """
    if len(args) != 1:
        raise UsageError("upgrade takes one folder or archive", hint=HINT)
    if os.geteuid():
        raise Forbidden("This needs root", hint=f"Run: sudo paas upgrade {args[0]}")
    source = Path(args[0]).resolve()
    if source.is_dir():
        return _run(source, settings)
    prefix = f"paas-upgrade-{settings.instance}-"
    _sweep(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, dir=UNPACKED) as folder:
        return _run(_unpack(source, Path(folder)), settings)


def _sweep(prefix: str) -> None:
    """Remove what upgrades that were killed left; a younger one may be another's at work."""
    for left in UNPACKED.glob(f"{prefix}*"):
        if time.time() - left.stat().st_mtime > LEFT:
            shutil.rmtree(left, ignore_errors=True)


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack a release; return its one folder. Raises UsageError."""
    # tar itself leads nothing out of the folder, which Python's module learns in 3.11.4 only.
    command = ("tar", "-x", "--no-same-owner", "-f", str(archive), "-C", str(folder))
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired as error:
        raise PaasError(f"{archive} took too long to unpack", hint=HINT) from error
    if done.returncode:
        last = tuple(done.stderr.splitlines()[-3:])
        raise UsageError(f"{archive} cannot be unpacked", details=last, hint=HINT)
    found = [path.parent for path in (*folder.glob(PROGRAM), *folder.glob(f"*/{PROGRAM}"))]
    if len(found) != 1:
        raise UsageError(f"{archive} is no release of paas: it has no {PROGRAM}", hint=HINT)
    return found[0]


def _run(folder: Path, settings: Settings) -> int:
    program = folder / PROGRAM
    if not program.is_file():
        raise UsageError(f"{folder} is no checkout of paas: it has no {PROGRAM}", hint=HINT)
    refuse_newer(settings.database, folder / MIGRATIONS)
    sys.stdout.write(f"-----> Upgrading from {folder}\n")
    sys.stdout.flush()
    try:  # Without a timeout: it fetches packages. By bash: many hosts mount /var/tmp noexec.
        return subprocess.run(("bash", str(program), "--no-demo"), check=False).returncode
    except OSError as error:
        raise PaasError(f"{program} cannot be run: {error.strerror}", hint=HINT) from error
