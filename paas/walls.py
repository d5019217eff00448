"""Walls that an app met, recognised from what it wrote: the cause, and the command that opens it.

Used by health at start, and by ps:report at any time later.
"""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from paas.options import NEEDED

PATH = r"['\"]?(?P<path>/[^'\"\s:,)]*)"
APP_FOLDER = "/app"  # where buildpacks put an app
LONGEST = 1000  # characters of a line: the patterns take the square of that, and apps write it
TMP = "/tmp"  # noqa: S108 - the container's own tmpfs
TYPE = "TYPE"  # in hints: the type of the process
NAME = r"[A-Z][A-Z0-9_]{1,127}"


@dataclass(frozen=True)
class Wall:
    """What stopped the app (no full stop at the end), and what to do about exactly that."""

    kind: str  # "config", "read-only", "space", "permission", "user", "command", "memory", ...
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.message}. {self.hint}"


Explain = Callable[[re.Match[str], str], Wall]


def recognise(lines: Sequence[str], app: str, process_type: str) -> Wall | None:
    """Return the wall that the last telling line of such a process names, None if none tells."""
    for line in (each[:LONGEST] for each in reversed(lines)):
        for pattern, explain in RULES:
            if found := pattern.search(line):
                wall = explain(found, app)
                return replace(wall, hint=wall.hint.replace(TYPE, process_type))
    return None


def _says(kind: str, message: str, hint: str) -> Explain:
    """Return an explanation whose texts may name {app} and the groups of the match."""

    def explain(found: re.Match[str], app: str) -> Wall:
        words = {"path": "a file of the image", **found.groupdict(), "app": app}
        return Wall(kind, message.format(**words), hint.format(**words))

    return explain


def _read_only(found: re.Match[str], app: str) -> Wall:
    path = found.groupdict().get("path") or ""
    folder = path if "mkdir" in found.string else posixpath.dirname(path)
    message = f"{app} writes to {path or 'its image'}, which is read-only"
    hint = f"Let it write below {TMP}"
    if folder in {"", APP_FOLDER}:  # a tmpfs would hide the app
        hint += f", or try: security:set {app} writable-root true"
    elif (covered := path if folder == "/" else folder) not in NEEDED:
        hint += f", or try: security:set {app} tmpfs {covered}=16m"
    return Wall("read-only", message, hint)


def _space(found: re.Match[str], app: str) -> Wall:
    path = found.groupdict().get("path") or TMP
    folder = posixpath.dirname(path)
    if path.startswith(TMP) or folder.count("/") <= 1:
        return Wall("space", f"{TMP} is full", f"Try: security:set {app} tmp-size 256m")
    return Wall("space", f"{folder} is full", f"Try: security:set {app} tmpfs {folder}=64m")


_config = _says(
    "config", "The variable {name} is not set for {app}", "Try: config:set {app} {name}=..."
)
_permission = _says(
    "permission",
    "{app} does not run as root, and may not use {path}",
    "Try: security:set {app} run-as N, with the number of the user who owns it",
)
_user = _says(
    "user",
    "It looks up its user's name, and its numeric user has none in the image",
    "Try: security:set {app} run-as N, with the number of a user in /etc/passwd",
)
_command = _says(
    "command",
    "{what} is not in the image",
    "Add it to your dependencies (requirements.txt, pyproject.toml, package.json), then push",
)
_shell = _says(
    "command",
    "The image has no shell to run the Procfile's line",
    "Delete the Procfile: the image's own command runs then",
)
_program = _says(
    "command", "{what} is not in the image", "Name a program that it has in the Dockerfile's CMD"
)
_not_executable = _says(
    "command", "{what} is not executable", "Run: git update-index --chmod=+x FILE, then push"
)
_format = _says(
    "command",
    "The program is for another processor, or a script without a #! line",
    "Build it for this machine, or start the script with #!/bin/sh",
)
_memory = _says(
    "memory", "It ran out of memory", "Try: resource:limit --process-type TYPE --memory 1024m {app}"
)
_processes = _says(
    "processes",
    "It may not have more processes and threads",
    "Try: security:set {app} pids 512",
)
_port = _says(
    "port",
    "Two of its own processes open the same port",
    "Open $PORT once; other ports need other numbers",
)
_forbidden = _says(
    "forbidden",
    "It asked the kernel for something that no app may do",
    "Do it while building (RUN in the Dockerfile), or leave it out",
)


def _rules(*rules: tuple[str, Explain]) -> tuple[tuple[re.Pattern[str], Explain], ...]:
    return tuple((re.compile(pattern), explain) for pattern, explain in rules)


RULES = _rules(
    (rf"KeyError: ['\"](?P<name>{NAME})['\"]", _config),
    (rf"(?i:environment variable|env var|envvar):?\s+['\"`]?(?P<name>{NAME})\b", _config),
    (rf"['\"`]?\b(?P<name>{NAME})['\"`]? (?i:environment variable|env var)", _config),
    (rf"\b(?P<name>{NAME}) (?:is )?(?i:not set|is not defined|not found\. Declare it)", _config),
    (rf"(?i:missing|undefined|unset)[\w ]* process\.env\.(?P<name>{NAME})", _config),
    (r"getpwuid|uv_os_get_passwd|no matching entries in passwd|could not look up .*user", _user),
    (rf"(?i)read-only file ?system.*?{PATH}", _read_only),
    (rf"{PATH}['\"]?: (?i:read-only file ?system)", _read_only),
    (r"(?i)read-only file ?system|\bEROFS\b", _read_only),
    (rf"(?i)no space left on device.*?{PATH}", _space),
    (r"(?i)no space left on device|\bENOSPC\b", _space),
    (r"(?i)\bEADDRINUSE\b|address already in use", _port),
    (r"(?i)can't start new thread|cannot fork|fork: retry|pthread_create.*EAGAIN", _processes),
    (r"(?i)out of memory|\bMemoryError\b|cannot allocate memory", _memory),
    (r"exec /bin/sh failed: No such file", _shell),
    (r"exec (?P<what>\S+) failed: No such file", _program),
    (r"exec (?P<what>\S+) failed: Permission denied", _not_executable),
    (r"(?:exec (?P<what>\S+) failed: )?Exec format error", _format),
    (r"\bsh: (?:(?:line )?\d+: |exec: )*(?P<what>[^\s:]+): (?:command )?not found", _command),
    (r"(?P<what>[^\s:]+): command not found", _command),
    (r"ModuleNotFoundError: No module named ['\"](?P<what>[\w.]+)['\"]", _command),
    (r"Cannot find (?:module|package) ['\"](?P<what>[^./'\"][^'\"]*)['\"]", _command),
    (rf"(?i)permission denied.*?{PATH}", _permission),
    (rf"{PATH}['\"]?: (?i:permission denied)", _permission),
    (r"\bEACCES\b|[Pp]ermission denied", _permission),
    (r"\bEPERM\b|[Oo]peration not permitted", _forbidden),
)
