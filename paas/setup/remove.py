"""Takes paas off a host: the opposite of `paas setup`. `bootstrap.sh uninstall` calls it.

Every step may be run again at any time, also after a setup that stopped half-way. Debian packages
that bootstrap.sh installed stay: others may use them by now.
"""

import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from paas.errors import EngineUnavailable, PaasError, UsageError
from paas.firewall import builds_table
from paas.proxies.routes import removal_commands
from paas.reporter import DETAIL, STEP
from paas.schedulers.uninstall import remove_all
from paas.service import stop
from paas.settings import Settings, load
from paas.setup.host import give_default_server_back
from paas.setup.kernel import forget_kernel
from paas.setup.openssh import close_openssh_door
from paas.setup.quiet import end_work
from paas.show import show_error

KEEP = "--keep-data"
# All that paas puts below its root. What else lies there is somebody's, and stays.
FOLDERS = ("demo", "door", "hooks", "log", "nft", "nginx", "nginx-templates", "repos", "run")
FILES = (".copy-*", ".new-*", ".paas.db.copy*", "build-cache.json", "imported.toml", "paas.db*")
OURS = (*FOLDERS, *FILES, "volumes")
Report = Callable[[str], object]


def main(argv: list[str]) -> int:
    """Remove the installation that the settings name; return the exit status."""
    try:
        if set(argv) - {KEEP}:
            raise UsageError("Only --keep-data is known", hint="bootstrap.sh uninstall --keep-data")
        remove(load(), _say, keep_data=KEEP in argv)
    except PaasError as error:
        show_error(error)
        return error.exit_status
    return 0


def remove(settings: Settings, report: Report, *, keep_data: bool) -> None:
    """Stop and remove all of one instance. Raises PaasError of the step that failed.

    With `keep_data` the data root, paas.toml and volumes stay: a later setup serves the same apps.
    """
    stop(settings)
    end_work(settings, report)
    close_openssh_door(settings, report)
    _leave_engine(settings, report, keep_volumes=keep_data)
    _leave_nginx(settings, report)
    _leave_kernel(settings, report)
    forget_kernel(settings, report)
    _unmount_volumes(settings, report)
    _remove_user(settings, report)
    if keep_data:
        report(f"kept {settings.root} and {settings.config}")
    else:
        remove_data(settings, report)


def _leave_engine(settings: Settings, report: Report, *, keep_volumes: bool) -> None:
    """Remove what the engine has of the instance. Raises EngineUnavailable for one that is down."""
    try:
        remove_all(settings, report, keep_volumes=keep_volumes)
    except EngineUnavailable:
        if Path(settings.engine.removeprefix("unix://")).exists():
            raise
        report(f"there is no engine at {settings.engine} any more: nothing was removed from it")


def _leave_nginx(settings: Settings, report: Report) -> None:
    """Take the include out of the host's nginx, and put Debian's placeholder back if we took it."""
    include = settings.nginx_conf.parent / "conf.d" / f"{settings.instance}.conf"
    if include.is_file():
        include.unlink()
        give_default_server_back(settings)
        _reload_nginx(settings)
        report(f"removed {include}")


def _reload_nginx(settings: Settings) -> None:
    """Let a running nginx forget the sites; one that does not run has nothing to forget."""
    if settings.nginx_pid.is_file():
        command = ("nginx", "-c", str(settings.nginx_conf), "-s", "reload")
        subprocess.run(command, capture_output=True, timeout=30, check=False)


def _leave_kernel(settings: Settings, report: Report) -> None:
    """Remove wall and routes; the wall around builds too, if no other instance needs it."""
    for command in removal_commands(settings):
        subprocess.run(command, capture_output=True, timeout=30, check=False)
    command = ("nft", "list", "tables")
    listed = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    builds = builds_table()
    if set(re.findall(r"^table inet (paas_\S+)$", listed, re.MULTILINE)) <= {builds}:
        for family in ("inet", "bridge"):
            command = ("nft", "delete", "table", family, builds)
            subprocess.run(command, capture_output=True, timeout=30, check=False)
    report("took firewall and routes out of the kernel")


def _unmount_volumes(settings: Settings, report: Report) -> None:
    """Unmount what is mounted below the data root (proc_mounts(5)): deepest first."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    root = settings.root.resolve()  # the kernel knows no links
    ours = sorted((place for place in mounted if place.startswith(f"{root}/")), reverse=True)
    for place in ours:
        done = subprocess.run(
            ("umount", place), capture_output=True, text=True, timeout=60, check=False
        )
        report(done.stderr.strip() or f"unmounted {place}")


def _remove_user(settings: Settings, report: Report) -> None:
    """Remove the doors' user, if it is one that setup made: its home is the folder of the keys."""
    try:
        user = pwd.getpwnam(settings.door_user)
    except KeyError:
        return
    if user.pw_dir != str(settings.door):
        return
    done = subprocess.run(
        ("userdel", user.pw_name), capture_output=True, text=True, timeout=60, check=False
    )
    report(f"removed the user {user.pw_name}" if not done.returncode else done.stderr.strip())
    if settings.config.exists():  # the next group with that number is somebody else's
        os.chown(settings.config, 0, 0)


def remove_data(settings: Settings, report: Report) -> None:
    """Remove what is ours below the root, then the root, unless it is more than a folder of ours.

    Raises PaasError for what cannot be removed.
    """
    root = settings.root
    try:
        for path in [path for name in OURS for path in root.glob(name)]:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        settings.config.unlink(missing_ok=True)
        folder = settings.config.parent
        if folder.name == "paas" and folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        _remove_root(root, report)
    except OSError as error:
        raise PaasError(
            f"{error.filename} cannot be removed: {error.strerror}",
            hint="End what uses it, then run: bootstrap.sh uninstall",
        ) from error
    report(f"removed {root} and {settings.config}")


def _remove_root(root: Path, report: Report) -> None:
    left = sorted(path.name for path in root.iterdir()) if root.is_dir() else []
    if left:
        report(f"in {root} stays what is not of paas: {', '.join(left[:5])}")
    elif root.is_symlink() or root.is_mount():
        report(f"{root} stays, empty: it is a link or a disk of its own")
    elif root.is_dir():
        root.rmdir()


def _say(text: str) -> None:
    sys.stdout.write(f"{DETAIL}{text}\n")


if __name__ == "__main__":
    sys.stdout.write(f"{STEP}Removing paas\n")
    sys.exit(main(sys.argv[1:]))
