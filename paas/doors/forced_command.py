"""The OpenSSH door: the forced command of authorized_keys, `paas door --key SHA256:...`.

sshd has checked the key; this process is the doors' user and hands over what the client typed
(SSH_ORIGINAL_COMMAND, sshd(8)) with the descriptors it inherited.
"""

import os
import select
import shlex
import signal
import sys
import threading

from paas.doors.local import hand_over
from paas.root import socket_path

USAGE = 2
NO_SHELL = 1
NO_SETTINGS = 1


def main(argv: list[str]) -> int:
    """Run what the owner of the key typed; return its exit status."""
    if len(argv) != 2 or argv[0] != "--key":  # noqa: PLR2004 - the flag and its value
        sys.stderr.write(" !     This door is opened by sshd: --key SHA256:...\n")
        return USAGE
    try:
        words = shlex.split(os.environ.get("SSH_ORIGINAL_COMMAND", ""))
    except ValueError as error:
        sys.stderr.write(f" !     The command cannot be read: {error}\n")
        return USAGE
    if not words:
        sys.stderr.write(" !     There is no shell here. Try the command: help\n")
        return NO_SHELL
    try:
        path = socket_path()
    except PermissionError as error:
        sys.stderr.write(
            f" !     The door may not read {error.filename}. On the host: paas setup\n"
        )
        return NO_SETTINGS
    threading.Thread(target=end_with_client, daemon=True).start()
    return hand_over({"door": "openssh", "argv": words, "fingerprint": argv[1]}, path)


def end_with_client() -> None:
    """Hang up when the client is gone: sshd closes our streams then, and says nothing.

    A command on a terminal gets the kernel's SIGHUP anyhow.
    """
    watch = select.poll()
    watch.register(1, 0)  # only that the other end is closed
    watch.poll()
    os.kill(os.getpid(), signal.SIGHUP)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
