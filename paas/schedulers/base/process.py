"""One container to be: what it runs, what it may take, and where it is found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from paas.model import App, SecurityOptions
from paas.network import Link
from paas.volume import HostMount, Mount


@dataclass(frozen=True)
class Resources:
    """How much of the host a process may take. Sizes are bytes."""

    cpus: float = 1.0
    memory: int | None = None  # None: what its security options say, else the host's default
    reserved: int | None = None  # kept for it when the host runs short


@dataclass(frozen=True)
class ProcessSpec:
    """One container to be. Its name is derived: `<instance>-<app>.<type>.<slot>.<deploy id>`."""

    app: App
    deploy_id: int
    process_type: str
    slot: int
    image: str  # id, sha256:...
    command: str | None  # a shell line; None: the image's own command
    config: Mapping[str, str]
    port: int
    address: str  # IPv4 in the app's subnet
    options: SecurityOptions = field(default_factory=SecurityOptions)
    volumes: tuple[str, ...] = ()  # VOLUME paths of the image, covered by sized tmpfs
    resources: Resources = field(default_factory=Resources)
    mounts: tuple[Mount, ...] = ()
    host_mounts: tuple[HostMount, ...] = ()
    log_megabytes: int = 10  # per file of its log, of which there are three
    links: tuple[Link, ...] = ()  # shared networks, beside the app's own


def process_name(instance: str, app: str, process_type: str, slot: int, deploy_id: int) -> str:
    """Return the name of a process's container: `<instance>-<app>.<type>.<slot>.<deploy id>`."""
    return f"{instance}-{app}.{process_type}.{slot}.{deploy_id}"
