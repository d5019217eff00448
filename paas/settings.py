"""Settings, built once from paas.toml and PAAS_* variables; nobody else reads the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from paas.errors import Forbidden, InvalidName, UsageError
from paas.model import domain_name
from paas.root import FILE, ROOT, read_file

INSTANCE = re.compile(r"[a-z][a-z0-9]{0,11}", re.ASCII)
PROXY = re.compile(r"http://([^/?#@\s]+@)?[^/?#@:\s]+:[0-9]{1,5}/?", re.ASCII)
NUMBER = re.compile(r"[0-9]{1,12}", re.ASCII)
# nginx, units and shells read these as they stand: nothing that splits, expands or quotes.
PATH = re.compile(r"/[A-Za-z0-9._/+@-]*", re.ASCII)
SUBNET_BITS = 5  # each app has a /27: 29 process addresses
MB = 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """Everything that can differ between two installations. Sizes are bytes, times seconds."""

    config: Path = Path(FILE)  # where these settings were read from; `paas setup` writes them there
    root: Path = Path(ROOT)
    instance: str = "paas"
    domain: str = "paas.localhost"
    door_user: str = "paas"
    ssh_listen: str = "0.0.0.0"  # noqa: S104 - users push from other machines
    ssh_port: int = 2222
    openssh: bool = False  # is the host's own sshd a door too, on its port?
    http_port: int = 80
    https_port: int = 443
    engine: str = "unix:///var/run/docker.sock"
    network: str = "10.213.0.0/16"  # app containers: one /27 per app
    services: str = "10.214.0.0/16"  # service addresses that nginx talks to: 32 per app
    nginx_conf: Path = Path("/etc/nginx/nginx.conf")
    nginx_pid: Path = Path("/run/nginx.pid")
    apt_cache: str = "managed"  # or "off", or http://host:port of a cache that stands already
    apt_cache_port: int = 3142
    suite: str = "trixie"
    https_proxy: str = ""  # http://HOST:PORT, for git:sync and archives; else the environment's
    no_proxy: str = ""  # hosts that are reached without it, each with all below it
    fetch_timeout: int = 900  # of one git:sync or one archive, in all
    ca_bundle: Path = Path("/etc/ssl/certs/ca-certificates.crt")
    max_pack: int = 200 * MB
    max_repository: int = 2048 * MB  # of one app: above it no push is taken
    max_unpacked: int = 2048 * MB  # a pack of 26 MB with 110,000 objects may unpack to 1.2 GB
    max_builds: int = 2
    build_timeout: int = 1200
    build_memory: int = 2048 * MB
    cache_budget: int = 10 * 1024 * MB
    app_memory: int = 512 * MB
    health_timeout: int = 60
    release_timeout: int = 3600
    drain_timeout: int = 30
    stop_timeout: int = 30
    storage_paths: str = ""  # folders of the host that admins may mount into apps: "/srv/a:/mnt/b"
    disk_reserve: int = 5 * 1024 * MB
    remote_host_verbs: bool = False  # may ssh admins use verbs that touch the host's safety?
    notify_private: bool = False  # may notices go to private and loopback addresses?

    def __post_init__(self) -> None:
        if not INSTANCE.fullmatch(self.instance):
            raise InvalidName(f"{self.instance!r} is not an instance id ([a-z][a-z0-9]{{0,11}})")
        domain_name(self.domain)
        IPv4Network(self.network)
        IPv4Network(self.services)
        if self.https_proxy and not PROXY.fullmatch(self.https_proxy):
            raise UsageError(
                f"Setting https_proxy cannot be {self.https_proxy!r}", hint="Give http://HOST:PORT"
            )

    # Places: everything under root, so that several instances can share a host.
    @property
    def database(self) -> Path:
        """The one SQLite file."""
        return self.root / "paas.db"

    @property
    def repos(self) -> Path:
        """Bare repositories, one per app: `<repos>/<app id>.git`."""
        return self.root / "repos"

    @property
    def logs(self) -> Path:
        """Daemon logs, and `deploys/<deploy id>.log`."""
        return self.root / "log"

    @property
    def run(self) -> Path:
        """Sockets, pid files and locks; emptied at boot."""
        return self.root / "run"

    @property
    def locks(self) -> Path:
        """Lock files. For root only: whoever may open one may hold it, and stop everybody else."""
        return self.run / "locks"

    @property
    def socket(self) -> Path:
        """The unix socket on which doors hand requests to the daemon."""
        return self.run / "paas.sock"

    @property
    def pid_file(self) -> Path:
        """The daemon's pid, locked by the daemon while it lives."""
        return self.run / "paas.pid"

    @property
    def hooks(self) -> Path:
        """The host owner's lifecycle hooks: `<hooks>/<stage>.d/*`."""
        return self.root / "hooks"

    @property
    def templates(self) -> Path:
        """The host owner's nginx templates, looked up before the shipped ones."""
        return self.root / "nginx-templates"

    @property
    def nginx(self) -> Path:
        """Rendered nginx files; `<nginx>/paas.conf` is the one that nginx.conf includes."""
        return self.root / "nginx"

    @property
    def door(self) -> Path:
        """What the unprivileged doors may read: `authorized_keys`, and the ssh host key."""
        return self.root / "door"

    @property
    def share(self) -> Path:
        """Where buildpacks/, nginx-templates/ and hooks/ were shipped to."""
        packaged = Path(__file__).parent / "share"
        return packaged if packaged.is_dir() else Path(__file__).parent.parent

    @property
    def stack(self) -> str:
        """The stack image's name; deploys resolve it to an id first."""
        return f"{self.instance}/stack:{self.suite}"

    @property
    def stack_build(self) -> str:
        """The stack with compilers and package managers: what build stages start from."""
        return f"{self.instance}/stack-build:{self.suite}"

    @property
    def bridge_prefix(self) -> str:
        """The prefix of every app bridge's name: at most 15 characters with the index behind it.

        Interface names are short (IFNAMSIZ is 16), so long instance ids are folded into a hash.
        """
        name = self.instance
        return f"p{name}" if len(name) <= 7 else f"p{_short_hash(name)}"  # noqa: PLR2004 - see above

    def bridge(self, index: int) -> str:
        """Return the bridge name of the app with this network index, such as `ppaas-12`."""
        return f"{self.bridge_prefix}-{index}"

    def subnet(self, index: int) -> IPv4Network:
        """Return the /27 of the app with this network index."""
        base = int(IPv4Network(self.network).network_address) + (index << SUBNET_BITS)
        return IPv4Network((base, 32 - SUBNET_BITS))

    @property
    def subnets(self) -> int:
        """How many /27 there are in the range of the app containers, 2048 at most."""
        bits = 32 - SUBNET_BITS - IPv4Network(self.network).prefixlen
        return min(1 << max(bits, 0), 2048)

    def shared_subnet(self, index: int) -> IPv4Network:
        """Return the /25 of the shared network whose first /27 has this index."""
        return self.subnet(index).supernet(prefixlen_diff=2)

    def service_address(self, index: int, slot: int) -> IPv4Address:
        """Return the stable address of web slot `slot` (1..31) of the app with this index."""
        return IPv4Network(self.services).network_address + (index << SUBNET_BITS) + slot

    @property
    def host(self) -> str:
        """The name under which users reach the doors.

        RFC 6761 lets names below localhost resolve, but ssh asks the C library, which may not.
        """
        return "localhost" if self.domain.endswith(".localhost") else self.domain

    @property
    def ssh_command(self) -> str:
        """What users type to reach this instance: `ssh -p 2222 paas@paas.localhost`.

        Where the host's own sshd is a door too, that one: often no other port is open.
        """
        port = f"-p {self._way_in} " if self._way_in else ""
        return f"ssh {port}{self.door_user}@{self.host}"

    def remote(self, app: str) -> str:
        """Return the URL that users give to git for an app."""
        port = f":{self._way_in}" if self._way_in else ""
        return f"ssh://{self.door_user}@{self.host}{port}/{app}"

    @property
    def _way_in(self) -> int:
        """The port that users have to name, 0 for ssh's own."""
        return 0 if self.openssh or self.ssh_port == 22 else self.ssh_port  # noqa: PLR2004 - RFC 4253

    def proxy_to(self, host: str) -> str:
        """Return the proxy through which a host outside is reached, "" for none."""
        names = [name.strip().lower().lstrip(".") for name in self.no_proxy.split(",")]
        host = host.lower()
        is_direct = any(name and (name == "*" or f".{host}".endswith(f".{name}")) for name in names)
        return "" if is_direct else self.https_proxy

    def app_url(self, domain: str, *, is_secure: bool = False) -> str:
        """Return the http or https URL of a domain, with the port when it is not the usual one."""
        scheme, port, usual = ("http", self.http_port, 80)
        if is_secure:
            scheme, port, usual = ("https", self.https_port, 443)
        return f"{scheme}://{domain}{'' if port == usual else f':{port}'}"


def load(environ: Mapping[str, str] = os.environ, file: Path | None = None) -> Settings:
    """Return the settings: PAAS_* variables over `paas.toml` over the defaults.

    The file is `file`, else PAAS_CONFIG, else /etc/paas/paas.toml, if it exists. Raises UsageError
    for a key that is not known and for a value that is not of its type, Forbidden for a file that
    this user may not read.
    """
    path = file or Path(environ.get("PAAS_CONFIG", FILE))
    values = _proxies(environ) | _read(path)
    known = {f.name: f.type for f in fields(Settings)}
    values |= {
        name: environ[f"PAAS_{name.upper()}"] for name in known if f"PAAS_{name.upper()}" in environ
    }
    unknown = sorted(values.keys() - known.keys())
    if unknown:
        raise UsageError(
            f"{path} has an unknown setting: {unknown[0]}", hint="See docs/settings.md."
        )
    converted = {name: _convert(name, known[name], value) for name, value in values.items()}
    return Settings(**converted)


def _read(path: Path) -> dict[str, object]:
    try:
        return read_file(str(path))
    except PermissionError as error:
        raise Forbidden(
            f"Only root and the doors may read {path}", hint="Run it as root: sudo paas ..."
        ) from error


def _proxies(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the host's own proxy for https by its usual variables, if it is of a kind we know."""
    found = {
        name: environ.get(name) or environ.get(name.upper()) for name in ("https_proxy", "no_proxy")
    }
    if not PROXY.fullmatch(found["https_proxy"] or ""):
        return {}
    return {name: value for name, value in found.items() if value}


def _convert(name: str, kind: object, value: object) -> Any:  # noqa: ANN401 - of the field's type
    text = str(value)
    if kind is int and NUMBER.fullmatch(text):
        return int(text)
    if kind is bool and text.lower() in {"true", "false", "1", "0"}:
        return text.lower() in {"true", "1"}
    if kind is Path and PATH.fullmatch(text):
        return Path(text)
    if kind is str:
        return text
    path = "Give a path from / on, of letters, digits and . _ / + @ -"
    hint = path if kind is Path else "See docs/settings.md."
    raise UsageError(f"Setting {name} cannot be {text!r}", hint=hint)


def _short_hash(text: str) -> str:
    import hashlib  # noqa: PLC0415 - doors read settings too and must start fast

    return hashlib.sha256(text.encode()).hexdigest()[:6]
