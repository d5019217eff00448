"""The hardened profile: the one function that builds every container's settings.

What is built here passes paas.schedulers.allowed.check_settings() before the engine sees it.
Field names are those of the Engine API's `POST /containers/create`.
"""

import posixpath
from functools import cache
from pathlib import Path
from typing import Any

from paas.errors import StartFailed
from paas.model import App
from paas.network import SharedNetwork
from paas.schedulers.base import ProcessSpec, process_name
from paas.schedulers.shell import shell_line, signal_environment
from paas.schedulers.volumes import data_folder
from paas.settings import MB, Settings
from paas.volume import Mount

CA_PATH = (
    "/etc/paas-ca.crt"  # inside the container; works on a read-only root without ca-certificates
)
CA_VARIABLES = (
    "SSL_CERT_FILE",  # OpenSSL, Python, Ruby, Go
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "PIP_CERT",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
)
VOLUME_SIZE = 64 * MB  # of the tmpfs that covers a VOLUME
MAX_TMPFS = 4
NANO = 1_000_000_000
MAX_VOLUMES = 16
KERNEL_PATHS = ("/proc", "/sys", "/dev")
UNCOVERABLE = ("/", "/etc", "/bin", "/lib", "/usr")  # a container cannot start without them


def container_name(spec: ProcessSpec, settings: Settings) -> str:
    """Return `<instance>-<app>.<type>.<slot>.<deploy id>`."""
    parts = (spec.app.name, spec.process_type, spec.slot, spec.deploy_id)
    return process_name(settings.instance, *parts)


def network_name(app: App, settings: Settings) -> str:
    """Return the name of the app's network."""
    return f"{settings.instance}-{app.id}"


def shared_name(network: SharedNetwork, settings: Settings) -> str:
    """Return the name of a shared network; an app's own ends in a number."""
    return f"{settings.instance}-net-{network.name}"


def user_of(spec: ProcessSpec) -> int:
    """Return the numeric user and group. Raises StartFailed for root."""
    uid = spec.app.uid if spec.options.run_as is None else spec.options.run_as
    if uid <= 0:
        raise StartFailed(
            "No process runs as root", hint=f"Run: security:set {spec.app.name} run-as ''"
        )
    return uid


def container_settings(spec: ProcessSpec, settings: Settings, *, with_ca: bool) -> dict[str, Any]:
    """Return the body of `POST /containers/create` for one process.

    `with_ca` says whether the host's CA bundle exists, to be mounted. Raises StartFailed for
    options and VOLUME paths that cannot be had.
    """
    user = user_of(spec)
    network = network_name(spec.app, settings)
    return {
        "Image": spec.image,
        **_command(spec.command),
        "User": f"{user}:{user}",
        "Env": [f"{key}={value}" for key, value in _environment(spec, with_ca=with_ca).items()],
        "Labels": labels(spec, settings),
        "Hostname": f"{spec.process_type}-{spec.slot}".replace("_", "-"),
        "Healthcheck": {"Test": ["NONE"]},
        "StopSignal": "SIGTERM",
        "Tty": False,
        "OpenStdin": False,
        "HostConfig": _host_config(spec, settings, user, with_ca=with_ca),
        "NetworkingConfig": {
            "EndpointsConfig": {network: {"IPAMConfig": {"IPv4Address": spec.address}}}
        },
    }


def labels(spec: ProcessSpec, settings: Settings) -> dict[str, str]:
    """Return all our labels: each is set, since an image's LABEL would be inherited."""
    return {
        "paas.instance": settings.instance,
        "paas.app": spec.app.name,
        "paas.app-id": str(spec.app.id),
        "paas.process": spec.process_type,
        "paas.slot": str(spec.slot),
        "paas.deploy": str(spec.deploy_id),
    }


@cache
def seccomp_profile() -> str:
    """Return our system call filter as text. It is an allow-list for 64-bit programs."""
    return Path(__file__).with_name("seccomp.json").read_text()


def _command(command: str | None) -> dict[str, Any]:
    """Return what runs. A Procfile line is the whole command: the image's ENTRYPOINT is not kept.

    Whoever wants the entry point writes it into the line. Kept, `ENTRYPOINT ["python"]` would turn
    each line into nonsense.
    """
    if command is None:
        return {}
    return {"Entrypoint": ["/bin/sh", "-c"], "Cmd": [shell_line(command)]}


def _environment(spec: ProcessSpec, *, with_ca: bool) -> dict[str, str]:
    """Return config over the CA variables (an app may bring its own bundle), ours over config."""
    bundle = dict.fromkeys(CA_VARIABLES, CA_PATH) if with_ca else {}
    ours = {
        "PORT": str(spec.port),
        "HOME": "/tmp",  # noqa: S108 - the container's own tmpfs
        "TMPDIR": "/tmp",  # noqa: S108 - as above
        "DYNO": f"{spec.process_type}.{spec.slot}",
        "PAAS_APP": spec.app.name,
    }
    return {**bundle, **spec.config, **signal_environment(spec.command), **ours}


def _host_config(
    spec: ProcessSpec, settings: Settings, user: int, *, with_ca: bool
) -> dict[str, Any]:
    memory = spec.resources.memory or spec.options.memory or settings.app_memory
    files = spec.options.open_files
    return {
        "NetworkMode": network_name(spec.app, settings),
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true", f"seccomp={seccomp_profile()}"],
        "ReadonlyRootfs": not spec.options.writable_root,
        "Tmpfs": _tmpfs(spec, user, memory),
        "Mounts": [
            *([_ca_mount(settings)] if with_ca else []),
            *(_volume_mount(mount, settings) for mount in spec.mounts),
            *(_bind(m.path, m.directory, is_readonly=m.is_readonly) for m in spec.host_mounts),
        ],
        "Memory": memory,
        "MemorySwap": memory,  # memory and swap together: no swap
        "MemoryReservation": min(spec.resources.reserved or 128 * MB, memory),
        "OomScoreAdj": 500,  # apps die before the host's own processes
        "NanoCpus": round(spec.resources.cpus * NANO),
        "CpuShares": 512,
        "PidsLimit": spec.options.pids,
        "ShmSize": min(spec.options.shm_size, memory),
        "Ulimits": [
            {"Name": "nofile", "Soft": files, "Hard": max(files, 8192)},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "Init": True,
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "AutoRemove": False,
        "LogConfig": {
            "Type": "json-file",
            "Config": {"max-size": f"{spec.log_megabytes}m", "max-file": "3"},
        },
    }


def _tmpfs(spec: ProcessSpec, user: int, memory: int) -> dict[str, str]:
    """Return {path: options}. `uid=` and `gid=` everywhere: runc before 1.2 ignores `mode=`.

    An image's VOLUME would be a hole in the read-only root onto the host's disk, without a limit.
    """
    if len(spec.options.tmpfs) > MAX_TMPFS or len(spec.volumes) > MAX_VOLUMES:
        raise StartFailed(
            f"At most {MAX_TMPFS} tmpfs and {MAX_VOLUMES} VOLUME paths are possible",
            hint="Remove some from the Dockerfile, or with security:set",
        )
    mounted = {mount.directory for mount in spec.mounts}
    mounted |= {mount.directory for mount in spec.host_mounts}
    sizes = {_covered(path): VOLUME_SIZE for path in spec.volumes if path not in mounted}
    sizes |= {"/var/tmp": 16 * MB, "/run": 8 * MB, "/tmp": spec.options.tmp_size}  # noqa: S108 - in the container
    sizes |= {_covered(path): size for path, size in spec.options.tmpfs.items()}
    for path, size in sizes.items():
        _check_fits(spec.app, path, size, memory)
    return {
        path: f"rw,nosuid,nodev,{'noexec' if path in {'/run', '/var/tmp'} else 'exec'},"  # noqa: S108 - as above
        f"size={size},mode=1777,uid={user},gid={user}"
        for path, size in sizes.items()
    }


def _covered(path: str) -> str:
    clean = "/" + posixpath.normpath(path).strip("/")
    inside_kernel = any(clean == top or clean.startswith(f"{top}/") for top in KERNEL_PATHS)
    if not path.startswith("/") or ":" in path or inside_kernel or clean in UNCOVERABLE:
        raise StartFailed(
            f"No tmpfs can cover {path!r}",
            hint="Take the VOLUME line out of the Dockerfile, or the path out of security:set",
        )
    return clean


def _check_fits(app: App, path: str, size: int, memory: int) -> None:
    """Refuse a tmpfs that is larger than the memory limit: to fill it would kill the app."""
    if size > memory:
        raise StartFailed(
            f"The tmpfs on {path} ({size // MB} MB) does not fit into the memory limit "
            f"({memory // MB} MB)",
            hint=f"Run: security:set {app.name} memory {size * 2 // MB}m",
        )


def _ca_mount(settings: Settings) -> dict[str, Any]:
    """Return the mount of the host's CA bundle: the only file of the host in a container."""
    return _bind(str(settings.ca_bundle), CA_PATH, is_readonly=True)


def _volume_mount(mount: Mount, settings: Settings) -> dict[str, Any]:
    source = str(data_folder(settings, mount.volume))
    return _bind(source, mount.directory, is_readonly=mount.is_readonly)


def _bind(source: str, target: str, *, is_readonly: bool) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": source,
        "Target": target,
        "ReadOnly": is_readonly,
        "BindOptions": {"Propagation": "rprivate"},
    }
