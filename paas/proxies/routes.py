"""Routes: which container stands behind a service address. A file per app, and a map in the kernel.

`<root>/nft/paas.nft` is the wall and includes `<root>/nft/routes/*.nft`: one `nft -f` of it, and
one `ip route`, put everything back at boot, without the daemon (`restore_commands`).
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from paas.errors import InvalidName, ProxyUnavailable
from paas.firewall import (
    BUILD_BRIDGE,
    apt_cache_port,
    builds_table,
    name_servers,
    render,
    source_address,
    table,
    table_of,
)
from paas.model import Finding, app_name
from paas.proxies.base import Route
from paas.proxies.files import locked, write_file
from paas.settings import Settings

ELEMENT = re.compile(r"([0-9.]+) : ([0-9.]+) \. ([0-9]+)", re.ASCII)
TIMEOUT = 30.0  # seconds for one nft transaction
HIGHEST_PORT = 65535


def restore_commands(settings: Settings) -> tuple[tuple[str, ...], ...]:
    """Return the commands that put wall and routes back at boot, before nginx starts.

    The route gives service addresses a way out of connect() also on a host without a default
    route; by loopback, so that nothing leaves the host should the wall be missing.
    """
    source = str(source_address(settings))
    return (
        ("nft", "-f", str(settings.root / "nft" / "paas.nft")),
        ("ip", "address", "replace", f"{source}/32", "dev", "lo"),
        (
            "ip",
            "route",
            "replace",
            settings.services,
            "dev",
            "lo",
            "proto",
            "static",
            "src",
            source,
        ),
    )


def removal_commands(settings: Settings) -> tuple[tuple[str, ...], ...]:
    """Return the commands that take the instance out of the kernel; each may fail if it is out.

    The wall around builds stays: other instances may need it. The next one that loads it closes
    this one's port there.
    """
    return (
        ("ip", "route", "delete", settings.services, "dev", "lo"),
        ("ip", "address", "delete", f"{source_address(settings)}/32", "dev", "lo"),
        ("nft", "delete", "table", "inet", table(settings)),
    )


class Routes:
    """The wall and the map of one instance. Raises ProxyUnavailable when nftables refuses.

    `build_bridge` is the engine's default bridge, on which builds run.
    """

    def __init__(self, settings: Settings, build_bridge: str = BUILD_BRIDGE) -> None:
        self._settings = settings
        self._bridge = build_bridge
        self._builds = ("inet", builds_table(build_bridge), "ports")
        self._map = f"inet {table(settings)} web"
        self._wall = settings.root / "nft" / "paas.nft"
        self._loaded = settings.root / "nft" / "loaded"  # the kernel's listing after the last load
        self._folder = settings.root / "nft" / "routes"
        self._lock = settings.locks / "nft.lock"

    def switch(self, app: str, routes: Sequence[Route]) -> None:
        """Replace the app's routes by these, in the file and then, atomically, in the kernel."""
        file = self._folder / f"{app_name(app)}.nft"
        wanted = self._render(routes)
        with locked(self._lock):
            self._ensure_wall()
            old = file.read_text() if file.exists() else ""
            _store(file, wanted)
            try:
                self._replace(old, wanted)
            except ProxyUnavailable:
                _store(file, old)
                raise

    def ensure(self) -> None:
        """Load the wall if it never was: before that, service addresses would leave the host."""
        with locked(self._lock):
            self._ensure_wall()

    def restore(self, read_routes: Callable[[], Mapping[str, Sequence[Route]]]) -> bool:
        """Make files and kernel equal to the routes of all apps; return whether they differed.

        They are read under the lock: a switch() comes before or after, never between.
        """
        with locked(self._lock):
            changed = self._write_wall()
            wanted = {f"{app_name(app)}.nft": self._render(r) for app, r in read_routes().items()}
            for name in wanted.keys() | {file.name for file in self._folder.glob("*.nft")}:
                _store(self._folder / name, wanted.get(name, ""))
            if changed or not self._is_loaded():
                self._load()
                return True
            return False

    def check(self) -> tuple[Finding, ...]:
        """Return the findings on table, map and route for `doctor`."""
        hint = "The daemon mends this within a minute; if paas is stopped: paas start"
        try:
            loaded, routed = self._is_loaded(), self._is_routed()
        except ProxyUnavailable as error:
            return (Finding("firewall", "fail", error.message, error.hint),)
        return (
            Finding("firewall", "ok", "The wall and the routes are loaded")
            if loaded
            else Finding("firewall", "fail", "The wall or a route differs from its file", hint),
            Finding("service route", "ok", f"{self._settings.services} has a route")
            if routed
            else Finding("service route", "warn", f"No route to {self._settings.services}", hint),
        )

    def _render(self, routes: Sequence[Route]) -> str:
        """Return the nft command that adds the routes; only checked values get into it."""
        services = IPv4Network(self._settings.services)
        elements = []
        for route in routes:
            service, address = IPv4Address(route.service), IPv4Address(route.address)
            if service not in services or not 0 < route.port <= HIGHEST_PORT:
                raise InvalidName(f"{route} is not a route of this instance")
            elements.append(f"{service} : {address} . {int(route.port)}")
        return f"add element {self._map} {{ {', '.join(elements)} }}\n" if elements else ""

    def _replace(self, old: str, new: str) -> None:
        """Change the map in one transaction; load everything anew if the kernel has lost it.

        The old elements are added first: that makes their deletion valid also where they were
        missing, and fails where they differ from the file.
        """
        keys = ", ".join(service for service, _, _ in ELEMENT.findall(old))
        removal = f"{old}delete element {self._map} {{ {keys} }}\n" if keys else ""
        if not removal and not new:
            return
        if _run("nft", "-f", "-", stdin=removal + new).returncode:
            self._load()

    def _ensure_wall(self) -> None:
        if not self._loaded.exists():
            self._write_wall()
            self._load()

    def _write_wall(self) -> bool:
        self._folder.mkdir(parents=True, exist_ok=True)
        text = render(self._settings, name_servers(), self._bridge, _subnet(self._bridge))
        return write_file(self._wall, f'{text}\ninclude "{self._folder}/*.nft"\n')

    def _load(self) -> None:
        for command in restore_commands(self._settings):
            done = _run(*command)
            if done.returncode:
                raise ProxyUnavailable(
                    f"{command[0]} refused the firewall",
                    details=tuple(done.stderr.splitlines()[:6]),
                    hint="Is the nft_* kernel support there? Try: nft list ruleset",
                )
        self._close_ports()
        write_file(self._loaded, self._listing())

    def _close_ports(self) -> None:
        """Let builds no more to the ports of instances that were removed, or have another now."""
        listed = _run("nft", "-j", "list", "tables").stdout
        names = {entry["table"]["name"] for entry in _entries(listed) if "table" in entry}
        own = apt_cache_port(self._settings)
        for port, instance in self._ports():
            is_old = instance == self._settings.instance and port != own
            if is_old or table_of(instance) not in names:
                _run("nft", "delete", "element", *self._builds, f"{{ {port} }}")

    def _ports(self) -> Iterator[tuple[int, str]]:
        """Yield the ports that builds may reach, and whose each is; "" for one without a name."""
        for entry in _entries(_run("nft", "-j", "list", "set", *self._builds).stdout):
            for element in entry.get("set", {}).get("elem", ()):
                named = element["elem"] if isinstance(element, dict) else {"val": element}
                yield int(named["val"]), str(named.get("comment", ""))

    def _is_open(self) -> bool:
        own = apt_cache_port(self._settings)
        return own is None or own in {port for port, _ in self._ports()}

    def _is_loaded(self) -> bool:
        if not self._loaded.exists() or self._loaded.read_text() != self._listing():
            return False
        found = ELEMENT.findall(_run("nft", "list", "map", *self._map.split()).stdout)
        wanted = [
            e for file in self._folder.glob("*.nft") for e in ELEMENT.findall(file.read_text())
        ]
        return sorted(found) == sorted(wanted) and self._is_routed() and self._is_open()

    def _listing(self) -> str:
        """Return the rules as the kernel has them, without the elements of sets and maps."""
        tables = (table(self._settings), builds_table(self._bridge))
        return "".join(_run("nft", "-t", "list", "table", "inet", t).stdout for t in tables)

    def _is_routed(self) -> bool:
        route = _run("ip", "-4", "route", "show", self._settings.services).stdout
        return f"src {source_address(self._settings)}" in route


def _entries(listed: str) -> Sequence[Mapping[str, Any]]:
    """Return what `nft -j` listed (libnftables-json(5))."""
    return json.loads(listed)["nftables"] if listed else ()


def _subnet(bridge: str) -> IPv4Network | None:
    """Return the first IPv4 subnet of an interface, None when there is no such interface."""
    listed = _run("ip", "-j", "-4", "address", "show", "dev", bridge).stdout
    addresses = json.loads(listed or "[]")[:1]
    for info in addresses[0]["addr_info"][:1] if addresses else ():
        return IPv4Network(f"{info['local']}/{info['prefixlen']}", strict=False)
    return None


def _store(file: Path, text: str) -> None:
    if text:
        write_file(file, text)
    else:
        file.unlink(missing_ok=True)


def _run(*command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProxyUnavailable(
            f"{command[0]} cannot be run: {error}", hint="Run: apt-get install nftables iproute2"
        ) from error
