"""A Debian suite's engine, nested in a container: other versions for the contract suites.

Run as a program it runs a command with PAAS_TEST_ENGINES naming the nested engine:

    python -m tests.nested_engine trixie classic python -m pytest tests/contracts

The kind says how it is set up: `classic`; `containerd` keeps images there, as Engine 29 does by
itself; `remapped` has users of its own, and live-restore.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import docker
from docker.errors import ImageNotFound

from paas.build import rootfs
from paas.engine_api import api_version
from paas.settings import Settings

SUITE = "trixie"  # Debian 13: Engine 26.1
STORE = "containerd-snapshotter"
KINDS: dict[str, dict[str, object]] = {
    "classic": {"features": {STORE: False}},
    "containerd": {"features": {STORE: True}},
    "remapped": {"features": {STORE: False}, "userns-remap": "dockremap", "live-restore": True},
}
STACKS = ("paas/stack:trixie", "paas/stack-build:trixie")
WAIT = 60.0
STANDS_STILL = 'Acquire::Check-Valid-Until "false"'  # a mirror may: lists of a suite to come expire
# capabilities(7), by number. `--privileged` asks for all: it fails where the machine lacks one.
CAPABILITIES = (  # noqa: SIM905 - easier to compare with the kernel's list
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
    "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
    "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ"
).split()
# The engine mounts cgroups read-only in a container that is not privileged; a nested one writes.
START = """
for controller in /sys/fs/cgroup /sys/fs/cgroup/*; do
    mount -o remount,rw,bind "$controller" 2>/dev/null || true
done
groupadd --system dockremap && useradd --system --gid dockremap dockremap
echo dockremap:1000000:1000000 | tee /etc/subuid > /etc/subgid
mkdir -p /etc/docker
echo "$DAEMON_JSON" > /etc/docker/daemon.json
exec dockerd --host unix:///nested/docker.sock
"""


@contextlib.contextmanager
def nested_engine(suite: str = SUITE, kind: str = "classic") -> Iterator[str]:
    """Start an engine of its own and yield its address; remove all of it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="paas-nested-", dir="/var/tmp"))
    with contextlib.closing(docker.APIClient()) as outer:
        image = _ensure_image(outer, suite)
        made = outer.create_container(
            image,
            ["/bin/sh", "-c", START],
            environment={"DAEMON_JSON": json.dumps(KINDS[kind])},
            host_config=_host_config(outer, folder),
            labels={"paas.test": "nested-engine"},
        )
        container = str(made["Id"])
        outer.start(container)
        try:
            address = f"unix://{folder}/docker.sock"
            _wait_until_it_answers(address, lambda: outer.logs(container))
            for name in STACKS:
                copy_image(name, address)
            yield address
        finally:
            outer.stop(container, timeout=20)
            outer.remove_container(container, v=True, force=True)
            shutil.rmtree(folder, ignore_errors=True)


def _ensure_image(outer: docker.APIClient, suite: str) -> str:
    """Return the name of an image with the suite's engine; make it where there is none."""
    name = f"paas-test/engine:{suite}-procps"
    with contextlib.suppress(ImageNotFound):
        outer.inspect_image(name)  # type: ignore[no-untyped-call]  # its stubs lack it
        return name
    packages = ("docker.io", "iptables", "nftables", "procps", "ca-certificates")  # its top runs ps
    with patch.object(rootfs, "APT_OPTIONS", (*rootfs.APT_OPTIONS, STANDS_STILL)):
        made = rootfs.RootFs(name, "test-engine", packages)
        rootfs.make_image(Settings(suite=suite), made, None, print)
    return name


def _host_config(outer: docker.APIClient, folder: Path) -> dict[str, object]:
    config = outer.create_host_config(
        cap_add=capabilities_here(),
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        pid_mode="host",  # so that the process ids it tells are the host's
        tmpfs={"/run": ""},
        binds={str(folder): {"bind": "/nested", "mode": "rw"}},
        mounts=[docker.types.Mount("/var/lib/docker", None, type="volume")],
    )
    # What the command line calls systempaths=unconfined, and --cgroupns.
    return {**config, "MaskedPaths": [], "ReadonlyPaths": [], "CgroupnsMode": "private"}


def capabilities_here() -> list[str]:
    """Return the capabilities that this machine has to give."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"^CapBnd:\s*([0-9a-f]+)$", status, re.MULTILINE)
    assert found, "the kernel tells no capability bounding set"
    bits = int(found[1], 16)
    return [name for number, name in enumerate(CAPABILITIES) if bits >> number & 1]


def _wait_until_it_answers(address: str, logs: Callable[[], bytes]) -> None:
    deadline = time.monotonic() + WAIT
    while True:
        with contextlib.suppress(OSError):
            api_version(address, 5)
            return
        if time.monotonic() > deadline:
            raise AssertionError(logs().decode(errors="replace")[-2000:])
        time.sleep(0.1)


def copy_image(name: str, address: str) -> None:
    """Copy an image of the host's engine to another."""
    with (
        contextlib.closing(docker.APIClient(timeout=300)) as outer,
        contextlib.closing(docker.APIClient(address, timeout=300)) as inner,
    ):
        # docker-py's load_image is not typed in its stubs
        for _ in inner.load_image(outer.get_image(name)):  # type: ignore[no-untyped-call]
            pass


if __name__ == "__main__":
    with nested_engine(*sys.argv[1:3]) as running:
        environ = {**os.environ, "PAAS_TEST_ENGINES": running}
        sys.exit(subprocess.run(sys.argv[3:], env=environ, check=False).returncode)
