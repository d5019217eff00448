"""The system's ssh, so that keys, agents, known hosts and jump hosts are the user's own.

One connection is kept for some minutes and shared by all commands (ssh_config(5), ControlMaster):
the second command saves the handshake. Its socket is in a directory that only the user can open,
for whoever reaches the socket types as the user.
"""

import os
import shlex
import stat
import subprocess
from collections.abc import Mapping, Sequence

from paas.client.remote import Host
from paas.errors import NotFound

PERSIST = 300  # seconds a connection is kept after the last command
SOCKET_BYTES = 40 + 1 + 17  # %C is a SHA-1; ssh appends a random suffix while it binds
PATH_BYTES = 107  # unix(7): sun_path, without its NUL
LOST = 255


def command_line(
    host: Host, words: Sequence[str], *, tty: bool, environ: Mapping[str, str] = os.environ
) -> list[str]:
    """Return the argument list that runs `words` at the host's door.

    The door splits the command like a shell: each word is quoted. `--` ends ssh's own options,
    also those that would come behind the host.
    """
    port = ["-p", str(host.port)] if host.port else []
    target = f"{host.user}@{host.name.strip('[]')}"
    program = shlex.split(environ.get("PAAS_SSH", "")) or ["ssh"]
    terminal = "-t" if tty else "-T"
    return [*program, *port, *_sharing(environ), terminal, "--", target, shlex.join(words)]


def replace_process(host: Host, words: Sequence[str]) -> int:
    """Become ssh: streams, terminal, signals and exit status are its own. Raises NotFound."""
    line = command_line(host, words, tty=has_terminal())
    try:
        os.execvp(line[0], line)  # noqa: S606 - no shell is wanted
    except FileNotFoundError as error:
        raise _missing(line[0]) from error


def ask(host: Host, words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command at the door and take its output; what it says on stderr is shown."""
    line = command_line(host, words, tty=False)
    try:
        return subprocess.run(line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)  # noqa: PLW1510 - the caller reads the status
    except FileNotFoundError as error:
        raise _missing(line[0]) from error


def has_terminal() -> bool:
    """Whether all three streams are terminals: with a pty, stdout and stderr become one."""
    return all(os.isatty(descriptor) for descriptor in (0, 1, 2))


def _sharing(environ: Mapping[str, str]) -> list[str]:
    folder = private_folder(environ)
    if folder is None:
        return []
    path = f"{folder}/%C"
    return ["-o", "ControlMaster=auto", "-o", f"ControlPath={path}",
            "-o", f"ControlPersist={PERSIST}"]  # fmt: skip


def private_folder(environ: Mapping[str, str]) -> str | None:
    """Return a directory that only this user can open; None where there is no safe one."""
    base = environ.get("XDG_RUNTIME_DIR") or environ.get("XDG_CACHE_HOME")
    base = base or os.path.join(environ.get("HOME", ""), ".cache")  # noqa: PTH118 - pathlib is slow to import
    folder = os.path.join(base, "paas-ssh")  # noqa: PTH118 - as above
    is_plain = base.startswith("/") and not set(folder) & set('%" \t\n$')  # ssh expands in it
    if not is_plain or len(os.fsencode(folder)) + SOCKET_BYTES > PATH_BYTES:
        return None
    try:
        os.makedirs(base, exist_ok=True)  # noqa: PTH103 - as above
        if not os.path.lexists(folder):
            os.mkdir(folder, 0o700)  # noqa: PTH102 - as above
        found = os.lstat(folder)
    except OSError:
        return None
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return folder if is_ours and not found.st_mode & 0o077 else None


def _missing(program: str) -> NotFound:
    return NotFound(f"{program} is not installed here", hint="Install an OpenSSH client.")
