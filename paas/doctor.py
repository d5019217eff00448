"""Everything `paas doctor` looks at, each with what to do."""

import re
import socket
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from paas import disk
from paas.doors import wire
from paas.errors import PaasError
from paas.model import Finding
from paas.platform import Platform
from paas.settings import MB, Settings

TIMEOUT = 3.0  # seconds for a door to answer
# The first version of each library without a known hole that reaches us.
FLOORS = {
    "dulwich": (1, 2, 21),  # CVE-2026-42305 and what followed, up to symlinked leading paths
    "paramiko": (5, 1),  # CVE-2026-44405: SHA-1 signatures of rsa keys
    "Jinja2": (3, 1, 6),  # CVE-2025-27516: sandbox escape
    "urllib3": (2, 5),  # CVE-2025-50181: redirects
}


def examine(platform: Platform) -> tuple[Finding, ...]:
    """Return all findings. A part that fails to answer is a finding, not an error."""
    settings = platform.settings
    return (
        *_guarded("engine", platform.scheduler.check),
        *_guarded("proxy", platform.proxy.check),
        *_guarded("build", platform.builder.check),
        *_guarded("database", platform.store.check),
        *_guarded("disk", lambda: (check_disk(settings),)),
        check_daemon(settings),
        check_ssh_door(settings),
        *check_libraries(),
    )


def check_disk(settings: Settings) -> Finding:
    """Apply the disk rule: pushes are refused below it; twice as much is comfortable."""
    free, needed = disk.space(settings.root, settings.disk_reserve)
    said = f"{free // MB} MB free for {settings.root}, {needed // MB} MB must stay free"
    hint = "Remove what is not needed: old apps, other images, logs."
    if free < needed:
        return Finding("disk", "fail", f"{said}: pushes are refused", hint)
    return Finding("disk", "warn", said, hint) if free < 2 * needed else Finding("disk", "ok", said)


def check_daemon(settings: Settings) -> Finding:
    """Ask the daemon for something through its local socket."""
    try:
        with (
            wire.connect(str(settings.socket)) as connection,
            Path("/dev/null").open("r+b") as null,
        ):
            connection.settimeout(TIMEOUT)
            wire.send(connection, {"door": "local", "argv": ["version"]}, [null.fileno()] * 3)
            status, said = wire.wait_for_exit(connection)
    except OSError as error:
        return Finding("daemon", "fail", f"the daemon does not answer: {error}", "Run: paas start")
    if status:
        return Finding("daemon", "fail", said or f"it answered {status}", "See its log: paas.log")
    return Finding("daemon", "ok", f"answers on {settings.socket}")


def check_ssh_door(settings: Settings) -> Finding:
    """Look for the banner of an ssh server (RFC 4253, 4.2) on our port."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.ssh_listen, settings.ssh_listen)  # noqa: S104 - compared only
    where = f"{settings.ssh_listen} port {settings.ssh_port}"
    try:
        with socket.create_connection((host, settings.ssh_port), TIMEOUT) as connection:
            banner = connection.recv(8)
    except OSError as error:
        return Finding("ssh door", "fail", f"{where} does not answer: {error}", "Run: paas start")
    if not banner.startswith(b"SSH-2.0"):
        return Finding("ssh door", "fail", f"{where} is not an ssh server", "Set another ssh_port.")
    return Finding("ssh door", "ok", f"answers on {where}")


def check_libraries(floors: dict[str, tuple[int, ...]] = FLOORS) -> Iterator[Finding]:
    """Compare the libraries that face strangers with their first version without a known hole."""
    for name, floor in floors.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "0"
        numbers = tuple(int(part) for part in re.findall(r"[0-9]+", found)[:3])
        wanted = ".".join(map(str, floor))
        if numbers < floor:
            said = f"{name} {found} has known holes, {wanted} has not"
            yield Finding("libraries", "fail", said, "Run bootstrap.sh again.")
        else:
            yield Finding("libraries", "ok", f"{name} {found}")


def _guarded(name: str, check: Callable[[], tuple[Finding, ...]]) -> tuple[Finding, ...]:
    try:
        return check()
    except PaasError as error:
        return (Finding(name, "fail", error.message, error.hint),)
    except OSError as error:
        return (Finding(name, "fail", str(error), "Run: paas setup"),)
