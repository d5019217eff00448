"""apt-cacher-ng in a locked-down container: builds fetch each Debian package once per host."""

import fcntl
import hashlib
import http.client
import json
import math
import socket
import struct
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import docker
from docker.errors import NotFound
from docker.models.containers import Container

from paas.build.debian import apt_proxy, apt_sources
from paas.build.rootfs import RootFs, age_of, engine, find_image, make_image
from paas.errors import Unavailable
from paas.settings import MB, Settings

UID = 199_999  # below the apps' uids (200000 + id), and nobody's on the host
CACHE, LOG = "/var/cache/apt-cacher-ng", "/var/log/apt-cacher-ng"
PORT = 3142
BRIDGE, SIOCGIFADDR = b"docker0", 0x8915
SPEC = "paas.spec"  # label: a hash of how the container was made
PROBE_TIMEOUT = 0.5  # seconds; the cache is on this host
START_TIMEOUT = 60  # seconds; while a stack is imported the engine starts containers slowly
TRIES = 3
KEEP_DAYS = 30
# acng.conf(5): no ReportPage is no admin page, a pattern that matches nothing is no CONNECT.
# Whatever does not end in "deb" passes too, and is revalidated each time: the plain http of builds
# comes this way. Packages never change, so the cache does not ask for them twice.
OPTIONS = (
    "ForeGround=1",
    f"Port={PORT}",
    f"CacheDir={CACHE}",
    f"LogDir={LOG}",
    "SocketPath=",
    "PidFile=",
    "ReportPage=",
    "PassThroughPattern=^$",
    "VfilePatternEx=([^b]|[^e]b|[^d]eb)$",
    "VerboseLog=1",
)


def ensure_apt_cache(
    settings: Settings, report: Callable[[str], object], max_age: float = math.inf
) -> str | None:
    """Make the cache's image and container if they are missing or differ; return its address.

    An image older than `max_age` seconds is made again; the packages stay. Returns None when
    `settings.apt_cache` is "off". Raises Unavailable when it runs but cannot reach Debian's mirror:
    then it is stopped, and builds go on without it. EngineUnavailable.
    """
    if settings.apt_cache != "managed":
        return apt_cache_url(settings)
    rootfs = _rootfs(settings)
    with engine(settings) as client:
        image = find_image(client, rootfs.image)
    if image is None or age_of(image) > max_age:
        make_image(settings, rootfs, apt_proxy(), report)
    with engine(settings) as client:
        container, is_new = _ensure_container(client, settings, rootfs.image)
        url = _managed_url(settings)
        if is_new:
            _check_mirror(container, url, settings)
    return url


def apt_cache_url(settings: Settings) -> str | None:
    """Return the address that builds use as http proxy; None when it is off or does not answer."""
    if settings.apt_cache == "off":
        return None
    if settings.apt_cache != "managed":
        return settings.apt_cache if _answers(settings.apt_cache) else None
    try:
        url = _managed_url(settings)
    except Unavailable:  # no docker0: the build says so itself
        return None
    return url if _answers(url) else None


def trim_apt_cache(settings: Settings) -> None:
    """Delete packages that were fetched more than 30 days ago. Raises Unavailable."""
    argv = ["find", CACHE, "-xdev", "-type", "f", "-mtime", f"+{KEEP_DAYS}", "-delete"]
    with engine(settings) as client:
        made = client.api.exec_create(_running(client, settings).id, argv)
        client.api.exec_start(made["Id"], detach=True)
        while (state := client.api.exec_inspect(made["Id"]))["Running"]:
            time.sleep(0.05)
    if state["ExitCode"]:
        raise Unavailable(f"Old packages could not be deleted: find ended with {state['ExitCode']}")


def container_name(settings: Settings) -> str:
    """Return the name of the cache's container; its volume has the same name."""
    return f"{settings.instance}-apt-cache"


def _rootfs(settings: Settings) -> RootFs:
    own = f'mkdir -p "$1{CACHE}" && chown {UID}:{UID} "$1{CACHE}"'
    # Debian's configuration maps mirrors onto others, which a company's network may not reach.
    plain = 'rm "$1"/etc/apt-cacher-ng/*'
    return RootFs(
        f"{settings.instance}/apt-cache:{settings.suite}",
        "apt-cache",
        ("apt-cacher-ng", "ca-certificates"),
        variant="essential",
        hooks=(own, plain),
    )


def _ensure_container(
    client: docker.DockerClient, settings: Settings, image: str
) -> tuple[Container, bool]:
    wanted = _container_settings(client, settings, image)
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]
    try:
        found = client.containers.get(container_name(settings))
    except NotFound:
        found = None
    if found and found.labels.get(SPEC) == digest:
        if found.status != "running":
            found.start()
        return found, found.status != "running"
    if found:
        found.remove(force=True)
    client.volumes.create(container_name(settings), labels=_labels(settings))
    labels = {**_labels(settings), SPEC: digest}
    return client.containers.run(**wanted, labels=labels, detach=True), True


def _container_settings(
    client: docker.DockerClient, settings: Settings, image: str
) -> dict[str, Any]:
    """Return the hardened profile of apps, as far as it fits a cache: one port, on docker0 only."""
    proxy = apt_proxy()
    command = ["/usr/sbin/apt-cacher-ng", *OPTIONS, *([f"Proxy={proxy}"] if proxy else [])]
    return {
        "image": client.images.get(image).id,
        "name": container_name(settings),
        "command": command,
        "user": f"{UID}:{UID}",
        "read_only": True,
        "tmpfs": {
            "/tmp": f"rw,nosuid,nodev,noexec,size=16m,uid={UID},gid={UID}",  # noqa: S108 - inside
            "/run": f"rw,nosuid,nodev,noexec,size=1m,uid={UID},gid={UID}",
            LOG: f"rw,nosuid,nodev,noexec,size=16m,uid={UID},gid={UID}",
        },
        "volumes": {container_name(settings): {"bind": CACHE, "mode": "rw"}},
        "ports": {f"{PORT}/tcp": (bridge_address(), settings.apt_cache_port)},
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": 256 * MB,
        "memswap_limit": 256 * MB,
        "pids_limit": 128,
        "cpu_shares": 512,
        "init": True,
        "ipc_mode": "private",
        "log_config": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
        "restart_policy": {"Name": "unless-stopped"},
    }


def _labels(settings: Settings) -> dict[str, str]:
    return {"paas.instance": settings.instance, "paas.role": "apt-cache"}


def bridge_address() -> str:
    """Return docker0's address: builds reach it, other machines do not. See netdevice(7)."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            request = struct.pack("256s", BRIDGE)
            answer = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, request)
        except OSError as error:
            raise Unavailable(
                f"The engine's default bridge {BRIDGE.decode()} has no address",
                hint='Set apt_cache = "off" in paas.toml, or allow the engine its default bridge.',
            ) from error
    return socket.inet_ntoa(answer[20:24])


def _managed_url(settings: Settings) -> str:
    return f"http://{bridge_address()}:{settings.apt_cache_port}"


def _answers(url: str) -> bool:
    """Ask for the cache's own page: any answer by HTTP will do."""
    return _status(url, "/", PROBE_TIMEOUT) is not None


def _status(url: str, target: str, timeout: float) -> int | None:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=timeout)
    try:
        connection.request("GET", target)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _check_mirror(container: Container, url: str, settings: Settings) -> None:
    """Fetch one small file through the cache; stop a cache that would only break builds."""
    _, mirror, suite, _ = apt_sources(settings.suite)[0].split()
    deadline = time.monotonic() + START_TIMEOUT
    while not _answers(url) and time.monotonic() < deadline:
        time.sleep(0.05)
    for _ in range(TRIES):
        if _status(url, f"{mirror}/dists/{suite}/InRelease", timeout=30) == http.client.OK:
            return
        time.sleep(1)
    log = container.logs(tail=5).decode(errors="replace").splitlines()
    container.stop(timeout=2)
    raise Unavailable(
        f"The apt cache cannot reach {mirror}, so builds go on without it",
        details=tuple(log),
        hint='Check the network, then run: paas setup (or set apt_cache = "off" in paas.toml)',
    )


def _running(client: docker.DockerClient, settings: Settings) -> Container:
    try:
        container = client.containers.get(container_name(settings))
    except NotFound:
        container = None
    if container is None or container.status != "running":
        raise Unavailable("The apt cache does not run", hint="Run: paas setup")
    return container
