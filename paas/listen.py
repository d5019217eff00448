"""The two sockets that the daemon listens on: for doors on this host, and for ssh clients."""

import errno
import os
import socket
from pathlib import Path

from paas.errors import UsageError

BACKLOG = 128


def listen_unix(path: Path, group: int) -> socket.socket:
    """Listen where only root and the doors' group may connect; replace a crashed one's socket."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    os.chown(path, 0, group)
    path.chmod(0o660)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    return listener


def listen_tcp(host: str, port: int) -> socket.socket:
    """Listen for the ssh door: it may then be weak and restarted, and no connection is refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        wanted = "ssh_port in paas.toml (or PAAS_SSH_PORT) to a free port"
        if error.errno == errno.EADDRNOTAVAIL:
            wanted = "ssh_listen in paas.toml to an address that this host has"
        raise UsageError(
            f"Cannot listen on {host} port {port}: {error.strerror}", hint=f"Set {wanted}."
        ) from error
    listener.listen(BACKLOG)
    return listener
