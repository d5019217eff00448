"""Which port of a web process nginx sends requests to: the detected one, unless ports:set says so.

On the host's side there is nothing to choose: all apps share the proxy's ports and are told apart
by their domains.
"""

import re
from collections.abc import Sequence

from paas.errors import UsageError
from paas.model import App, Release
from paas.platform import Platform

TOPIC, CONTAINER = "ports", "container"
MAPPING = re.compile(r"([a-z]{1,10}):([0-9]{1,5}):([0-9]{1,5})", re.ASCII)
HIGHEST = 65535


def chosen(platform: Platform, app: App) -> int | None:
    """Return the container port that was set; None: the detected one."""
    text = platform.store.properties.get(app.id, TOPIC).get(CONTAINER)
    return int(text) if text else None


def of_release(platform: Platform, app: App, detected: int) -> tuple[int, int | None]:
    """Return a release's port, and where another was chosen the detected one, else None."""
    port = chosen(platform, app)
    return (port, detected) if port else (detected, None)


def detected_of(release: Release) -> int:
    """Return what the release's port would be if none were chosen."""
    return release.detected_port or release.port


def mappings(platform: Platform, app: App, port: int) -> tuple[tuple[str, int, int], ...]:
    """Return (scheme, host port, container port) of what is served; https with a certificate."""
    settings = platform.settings
    plain = ("http", settings.http_port, port)
    if platform.store.certificates.get(app.id) is None:
        return (plain,)
    return (plain, ("https", settings.https_port, port))


def parse_mappings(platform: Platform, words: Sequence[str]) -> int:
    """Return the one container port that the typed mappings lead to. Raises UsageError."""
    hosts = {"http": platform.settings.http_port, "https": platform.settings.https_port}
    found = set()
    for word in words:
        match = MAPPING.fullmatch(word)
        if not match or not 0 < int(match[3]) <= HIGHEST:
            raise UsageError(
                f"{word!r} is not a port mapping", hint=f"As in: http:{hosts['http']}:5000"
            )
        if int(match[2]) != hosts.get(match[1]):
            shown = " and ".join(f"{scheme}:{port}" for scheme, port in hosts.items())
            raise UsageError(
                f"{match[1]}:{match[2]} is not served: apps share {shown}",
                hint="Give the app a domain of its own instead: domains:add APP DOMAIN",
            )
        found.add(int(match[3]))
    if len(found) != 1:
        raise UsageError(
            "All mappings must lead to one container port", hint="A web process has one port."
        )
    return found.pop()
