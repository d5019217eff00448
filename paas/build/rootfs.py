"""A Debian root file system from mmdebstrap, as an image of the engine: no registry needed."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import docker
import requests
from docker.errors import DockerException, ImageNotFound
from docker.models.images import Image

from paas.build.debian import KEYS, apt_sources, debian_keys, local_authorities
from paas.engine_api import api_version
from paas.errors import EngineUnavailable, Unavailable
from paas.settings import Settings

TIMEOUT = 1800  # seconds; a slow mirror needs minutes, a hung one must not hold setup for ever
SCRATCH = Path("/var/tmp")  # noqa: S108 - mkdtemp inside; /tmp is often a small tmpfs, or nodev
BUILT = "paas.built"  # label: seconds since the epoch
DPKG_OPTIONS = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/info/*",
)
# They stay in the image. Without apt's own caches a layer that installs a package is 90 MB smaller.
APT_OPTIONS = (
    'Acquire::Retries "3"',
    'Dir::Cache::pkgcache ""',
    'Dir::Cache::srcpkgcache ""',
)
# no-new-privileges makes setuid files harmless in apps; without them that holds in builds too
STRIP_SETUID = 'find "$1" -xdev -type f -perm /6000 -exec chmod a-s {} +'
# mmdebstrap copies both from the host
FORGET_HOST = 'rm -f "$1/etc/hostname" && : > "$1/etc/resolv.conf"'


@dataclass(frozen=True)
class RootFs:
    """What is in an image: packages, then shell hooks whose `$1` is the root's path on the host."""

    image: str  # name:tag
    role: str  # label paas.role
    packages: tuple[str, ...]
    variant: str = "minbase"
    hooks: tuple[str, ...] = ()


@contextmanager
def engine(settings: Settings) -> Iterator[docker.DockerClient]:
    """Give a client of the engine. Raises EngineUnavailable for every failure of the engine."""
    try:
        version = api_version(settings.engine, 30)
    except OSError as error:
        raise EngineUnavailable(
            f"Docker Engine does not answer at {settings.engine}",
            hint="Run: systemctl start docker",
        ) from error
    try:
        client = docker.DockerClient(base_url=settings.engine, version=version, timeout=600)
        client.api.trust_env = False  # no proxy stands before the engine; don't look for one
        try:
            yield client
        finally:
            client.close()
    except (DockerException, requests.RequestException) as error:
        raise EngineUnavailable(
            f"Docker Engine refused or did not answer: {str(error)[:200]}", hint="Run: paas doctor"
        ) from error


def find_image(client: docker.DockerClient, name: str) -> Image | None:
    """Return the image with this name, None if there is none."""
    try:
        return client.images.get(name)
    except ImageNotFound:
        return None


def age_of(image: Image) -> float:
    """Return how many seconds ago the image was made from Debian's packages."""
    return time.time() - int(image.labels.get(BUILT, "0"))


def make_image(
    settings: Settings, rootfs: RootFs, proxy: str | None, report: Callable[[str], object]
) -> str:
    """Make the image from Debian packages, through `proxy`, and give it its name; return its id.

    Raises Unavailable when packages cannot be fetched or installed, EngineUnavailable.
    """
    started = time.monotonic()
    with TemporaryDirectory(prefix="paas-", dir=SCRATCH) as scratch:
        archive = Path(scratch, "root.tar")
        _bootstrap(settings, rootfs, archive, proxy)
        image = _import(settings, rootfs, archive)
        size = archive.stat().st_size // 1_000_000
    report(f"{rootfs.image}: {size} MB, {time.monotonic() - started:.0f} s")
    return image


def _bootstrap(settings: Settings, rootfs: RootFs, archive: Path, proxy: str | None) -> None:
    """Run mmdebstrap(1). It takes the newest version of each package: no dist-upgrade is left."""
    authorities = archive.parent / "ca"
    authorities.mkdir()
    for number, certificate in enumerate(local_authorities(settings.ca_bundle)):
        (authorities / f"paas-host-{number}.crt").write_text(certificate + "\n")
    hooks = (*_trust_hooks(rootfs, authorities), *rootfs.hooks, STRIP_SETUID, FORGET_HOST)
    sources = apt_sources(settings.suite)
    argv = [
        "mmdebstrap",
        "--format=tar",
        f"--variant={rootfs.variant}",
        f"--include={','.join(rootfs.packages)}",
        *(f"--aptopt={option}" for option in APT_OPTIONS),
        *(f"--dpkgopt={option}" for option in DPKG_OPTIONS),
        *(f"--customize-hook={hook}" for hook in hooks),
        *debian_keys(),
        settings.suite,
        str(archive),
        *sources,
    ]
    environment = os.environ | {"TMPDIR": str(SCRATCH), "LC_ALL": "C.UTF-8"}
    if proxy:  # by variable, not by --aptopt: options stay in the image
        environment["http_proxy"] = proxy
    failure = f"Debian {settings.suite} could not be fetched from {sources[0]}"
    run_tool(argv, failure, environment)


def _trust_hooks(rootfs: RootFs, authorities: Path) -> tuple[str, ...]:
    """Add the host's own CAs the way update-ca-certificates(8) keeps them when it runs again."""
    if "ca-certificates" not in rootfs.packages or not any(authorities.iterdir()):
        return ()
    return (
        f'cp {authorities}/*.crt "$1/usr/local/share/ca-certificates/"',
        'chroot "$1" update-ca-certificates',
    )


def run_tool(argv: list[str], failure: str, environment: dict[str, str] | None = None) -> None:
    """Run a tool of the host. Raises Unavailable with `failure` and the tool's last lines."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(failure, details=(str(error),), hint="Run bootstrap.sh again.") from error
    if done.returncode:
        raise Unavailable(
            failure, details=tuple(done.stdout.splitlines()[-12:]), hint=_hint(done.stdout)
        )


def _hint(output: str) -> str:
    """Return what helps; apt-secure(8) ends its lines about missing keys with NO_PUBKEY."""
    if "NO_PUBKEY" in output:
        return f"{KEYS} lacks newer keys: install Debian's newer debian-archive-keyring.deb"
    return "Check the network and the host's apt sources, then run: paas setup"


def _import(settings: Settings, rootfs: RootFs, archive: Path) -> str:
    """Import without a name, then name it: a broken import must not take the place of a good one.

    See ImageCreate of the Engine API (`fromSrc=-`).
    """
    changes = [
        "ENV LANG=C.UTF-8",
        f"LABEL paas.instance={settings.instance}",
        f"LABEL paas.role={rootfs.role}",
        f"LABEL {BUILT}={int(time.time())}",
    ]
    with engine(settings) as client:
        answer = client.api.import_image(src=str(archive), changes=changes)
        image = str(json.loads(str(answer).splitlines()[-1])["status"])
        name, _, tag = rootfs.image.rpartition(":")
        old = find_image(client, rootfs.image)
        client.api.tag(image, name, tag, force=True)
        if old and old.id != image:
            _drop_unused(client, str(old.id))
    return image


def _drop_unused(client: docker.DockerClient, image: str) -> None:
    """Remove the image that lost its name; the engine refuses while containers or tags use it."""
    try:
        client.api.remove_image(image)
    except DockerException:
        return
