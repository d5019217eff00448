"""The files of an installation: directories and their modes, paas.toml, the ssh host key."""

import json
import os
import pwd
import re
import stat
import tomllib
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from paas.doors.host_key import NAME, keep_host_key
from paas.errors import Unavailable, UsageError
from paas.hooks import STAGES
from paas.settings import Settings

HEAD = "# Settings of paas. Every key and its default: docs/settings.md. Then run: paas setup\n"
MODE = 0o640  # of paas.toml; its group is the doors'
Report = Callable[[str], object]


def make_directories(settings: Settings, report: Report) -> None:
    """Make the directories below the data root.

    The doors' user must get through root and run, and nginx's reads no file here; what is private
    is closed at its own directory.
    """
    wanted = {
        settings.root: 0o711,
        settings.repos: 0o700,
        settings.logs: 0o700,
        settings.run: 0o711,
        settings.locks: 0o700,
        settings.door: 0o755,
        settings.nginx: 0o755,
        settings.templates: 0o755,
        settings.hooks: 0o755,
        **{settings.hooks / f"{stage}.d": 0o755 for stage in STAGES},
    }
    missing = [path for path in wanted if not path.is_dir()]
    for path in missing:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(wanted[path])  # whatever the umask
    if missing:
        report(f"made {len(missing)} directories in {settings.root}")
    for path, mode in wanted.items():
        if path.stat().st_mode & 0o7777 != mode:
            path.chmod(mode)
            report(f"{path} has mode {mode:o} again")


def require_way_in(settings: Settings, _report: Report) -> None:
    """Raise UsageError if the doors' user cannot get to the data root."""
    for folder in settings.root.parents:
        if not folder.stat().st_mode & 0o001:
            raise UsageError(
                f"The doors' user cannot get through {folder}",
                hint=f"Run: chmod o+x {folder}   (or choose another data root)",
            )


def write_settings(settings: Settings, report: Report) -> None:
    """Keep in paas.toml what differs from the defaults, and the domain.

    Only lines whose value differs are touched: the owner's comments and order stay. The doors read
    the data root from it, and nobody else may: https_proxy may hold a password.
    """
    file = settings.config
    text = file.read_text() if file.is_file() else HEAD
    stored = tomllib.loads(text)
    for key, value in _chosen(settings).items():
        if key in stored and str(stored[key]) == str(value):
            continue
        if key in stored or value != _default(key) or key == "domain":
            text = _set_line(text, key, value)
            report(f"{key} = {_toml(value)}")
    group = pwd.getpwnam(settings.door_user).pw_gid
    if file.is_file() and _access(file) != (0, group, MODE):
        os.chown(file, 0, group)
        file.chmod(MODE)
        report(f"{file} is for root and the doors alone now")
    if not file.is_file() or file.read_text() != text:
        _write(file, text, group)
        report(f"wrote {file}")


def make_host_key(settings: Settings, report: Report) -> None:
    """Make the ssh door's host key if it is missing."""
    is_new = not (settings.door / NAME).exists()
    path = keep_host_key(settings.door, pwd.getpwnam(settings.door_user).pw_gid)
    if is_new:
        report(f"made {path}")


def trust_host(settings: Settings, _report: Report) -> None:
    """Check that the host has the CA bundle that the stack, builds and apps get.

    Raises Unavailable.
    """
    if not settings.ca_bundle.is_file():
        raise Unavailable(
            f"There is no CA bundle at {settings.ca_bundle}",
            hint="Run: apt-get install ca-certificates, or set ca_bundle in paas.toml",
        )


def _chosen(settings: Settings) -> dict[str, object]:
    """Return the settings by key; where the file itself is cannot stand in the file."""
    return {f.name: getattr(settings, f.name) for f in fields(Settings) if f.name != "config"}


def _default(key: str) -> object:
    return next(f.default for f in fields(Settings) if f.name == key)


def _set_line(text: str, key: str, value: object) -> str:
    line = f"{key} = {_toml(value)}"
    changed, count = re.subn(rf"^{key}\s*=.*$", lambda _: line, text, count=1, flags=re.MULTILINE)
    if count:
        return changed
    return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{line}\n"


def _toml(value: object) -> str:
    """Return a TOML value: JSON's strings, numbers and booleans are TOML's too."""
    return json.dumps(str(value) if isinstance(value, Path) else value)


def _access(path: Path) -> tuple[int, int, int]:
    """Return who owns a file, its group, and its mode."""
    status = path.stat()
    return status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)


def _write(path: Path, text: str, group: int) -> None:
    """Put a new file in the old one's place, durably; readable by `group` only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # one that a crash left may be open to others
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fchown(file.fileno(), 0, group)
        os.fchmod(file.fileno(), MODE)
        os.fsync(file.fileno())
    new.replace(path)
