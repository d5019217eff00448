"""The pid file of the daemon: a lock that the kernel drops with its holder, so never stale."""

import fcntl
import os
from pathlib import Path

from paas.errors import Conflict


def hold_pid_file(path: Path) -> int:
    """Lock the pid file and write our pid; it stays locked until we die. Raises Conflict."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise Conflict("The daemon of this instance runs already", hint="paas status") from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def holder(path: Path) -> int | None:
    """Return the pid of the daemon that runs, None if there is none. A lock cannot be stale."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return int(os.read(descriptor, 20) or b"0") or None
    else:
        return None
    finally:
        os.close(descriptor)
