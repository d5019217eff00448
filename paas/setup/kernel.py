"""Kernel settings that the proxy needs under load."""

from collections.abc import Callable
from pathlib import Path

from paas.settings import Settings

# nginx opens a connection per request and closes it first, so its ports stay in TIME_WAIT for a
# minute. From half of the 28232 ports on, Linux searches for a free one at every connect: the rate
# fell from 12000 to 600 requests a second. This lets an outgoing connection take such a port after
# a second (ip-sysctl, tcp_tw_reuse; timestamps tell the two connections apart).
WANTED = {"net.ipv4.tcp_tw_reuse": "1"}
FILE = Path("etc/sysctl.d/60-paas.conf")
USUAL = {"net.ipv4.tcp_tw_reuse": "2"}  # the kernel's own


def tune_kernel(
    settings: Settings, report: Callable[[str], object], root: Path = Path("/")
) -> None:
    """Set WANTED now and at every boot; an installation with an nginx of its own changes nothing.

    `root` is where `/etc` and `/proc` are.
    """
    if settings.nginx_conf != Settings.nginx_conf:
        return
    text = "".join(f"{name} = {value}\n" for name, value in WANTED.items())
    file = root / FILE
    if not file.exists() or file.read_text() != text:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        report(f"wrote {file}")
    for name, value in WANTED.items():
        current = root / "proc/sys" / name.replace(".", "/")
        try:
            if current.read_text().strip() != value:
                current.write_text(value)
                report(f"{name} is {value}")
        except OSError as error:  # a host that is itself a container: its owner decides
            report(f"{name} cannot be set here: {error.strerror}")


def forget_kernel(
    settings: Settings, report: Callable[[str], object], root: Path = Path("/")
) -> None:
    """Undo tune_kernel()."""
    file = root / FILE
    if settings.nginx_conf != Settings.nginx_conf or not file.exists():
        return
    file.unlink()
    report(f"removed {file}")
    for name, value in USUAL.items():
        try:
            (root / "proc/sys" / name.replace(".", "/")).write_text(value)
        except OSError as error:
            report(f"{name} cannot be set here: {error.strerror}")
