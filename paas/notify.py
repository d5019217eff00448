"""Tell systemd how the daemon is: the datagram of sd_notify(3), without its library."""

import os
import socket


def send(state: str, environ: dict[str, str] | None = None) -> bool:
    """Send a state such as "READY=1" to NOTIFY_SOCKET; return False when nobody asked for it."""
    address = (os.environ if environ is None else environ).get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # the abstract namespace of unix(7)
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
        notifier.sendto(state.encode(), address)
    return True
