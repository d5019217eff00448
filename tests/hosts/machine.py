"""A Debian machine that boots: systemd is PID 1 of a container that has an engine of its own."""

import contextlib
import io
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import ImageNotFound
from docker.types import Mount

from paas.build.rootfs import RootFs, make_image
from paas.settings import Settings
from tests.nested_engine import capabilities_here

CHECKOUT = Path(__file__).parent.parent.parent
PATIENCE = 900  # seconds for one command
PROGRAM = ("paas", "buildpacks", "nginx-templates", "hooks")  # what makes a version another one
# What the images of cloud providers have as well; nothing that paas needs beyond it.
PACKAGES = ("ca-certificates", "dbus", "iproute2", "openssh-server", "sudo", "systemd-sysv")
# The outer engine mounts cgroups read-only in a container that is not privileged; modules are for
# the machine outside to load. Images that we make have no setuid files.
INIT = """
for c in /sys/fs/cgroup /sys/fs/cgroup/*; do mount -o remount,rw,bind "$c"; done 2>/dev/null
mknod /dev/loop-control c 10 237
for n in $(seq 0 63); do mknod /dev/loop$n b 7 $n; done 2>/dev/null
ln -sf /dev/null /etc/systemd/system/systemd-modules-load.service
chmod u+s /usr/bin/sudo
exec /lib/systemd/systemd --system
"""


class Machine:
    """One running machine; `run` types as root, without a terminal."""

    def __init__(self, engine: docker.APIClient, container: str) -> None:
        self._engine = engine
        self._container = container

    def run(self, command: str) -> tuple[int, str]:
        """Run a shell command; return its exit status and all that it wrote."""
        made = self._engine.exec_create(self._container, ["/bin/sh", "-c", f"exec 2>&1; {command}"])
        text = self._engine.exec_start(made["Id"]).decode(errors="replace")
        return int(self._engine.exec_inspect(made["Id"])["ExitCode"]), text

    def type(self, command: str) -> str:
        """Run a command that must succeed; return what it wrote."""
        status, text = self.run(command)
        assert status == 0, f"{command}: {status}\n{text[-6000:]}"
        return text

    def put(self, folder: str, revision: str) -> None:
        """Lay a revision of this repository out in a folder, as a checkout does."""
        command = ("git", "-C", str(CHECKOUT), "archive", "--format=tar", revision)
        tar = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
        self.type(f"rm -rf {folder} && mkdir -p {folder}")
        self._engine.put_archive(self._container, folder, io.BytesIO(tar))

    def reboot(self) -> None:
        """Shut down and boot; return when systemd is the first process again."""
        self._engine.restart(self._container, timeout=90)
        self.await_boot()

    def await_boot(self) -> None:
        """Return when systemd answers; services may still be starting."""
        deadline = time.monotonic() + 60
        while self.run("systemctl is-system-running 2>&1 | grep -E 'starting|running|degraded'")[0]:
            assert time.monotonic() < deadline, "systemd does not come up"
            time.sleep(0.2)


def version_before() -> str:
    """Return the newest commit whose program is another than HEAD's."""
    command = ("git", "-C", str(CHECKOUT), "log", "-1", "--format=%H", "--", *PROGRAM)
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return f"{done.stdout.strip()}^"


def version_before_schema() -> str:
    """Return the commit before the newest one that added a migration: its schema is older."""
    folder = "paas/state/migrations"
    command = ("git", "-C", str(CHECKOUT), "log", "-1", "--diff-filter=A", "--format=%H", "--")
    done = subprocess.run(
        (*command, folder), capture_output=True, text=True, check=True, timeout=60
    )
    return f"{done.stdout.strip()}^"


def first_command() -> str:
    """Return what the README has people type first."""
    return (CHECKOUT / "README.md").read_text().split("```sh\n")[1].splitlines()[0]


@contextlib.contextmanager
def booted(suite: str) -> Iterator[Machine]:
    """Make a clean machine of a Debian suite, boot it, and remove it at the end."""
    with contextlib.closing(docker.APIClient(timeout=PATIENCE)) as engine:
        image = _ensure_image(engine, suite)
        made = engine.create_container(
            image,
            ["/bin/sh", "-c", INIT],
            hostname="fresh",
            host_config=_host(engine),
            # systemd 257 wants to be told that it may use cgroup v1, if this machine has no other
            environment={"container": "docker", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE": "1"},
            labels={"paas.test": "host"},
            stop_signal="SIGRTMIN+3",
        )
        container = str(made["Id"])
        try:
            engine.start(container)
            machine = Machine(engine, container)
            machine.await_boot()
            yield machine
        finally:
            engine.remove_container(container, v=True, force=True)


def _ensure_image(engine: docker.APIClient, suite: str) -> str:
    name = f"paas-test/host:{suite}"
    try:
        engine.inspect_image(name)  # type: ignore[no-untyped-call] # docker's stubs
    except ImageNotFound:
        make_image(Settings(suite=suite), RootFs(name, "test-host", PACKAGES), None, print)
    return name


def _host(engine: docker.APIClient) -> dict[str, object]:
    config = engine.create_host_config(
        cap_add=capabilities_here(),
        security_opt=["seccomp=unconfined", "apparmor=unconfined"],
        device_cgroup_rules=["c 10:237 rwm", "b 7:* rwm"],  # loop devices, for volumes
        tmpfs={"/run": "exec,mode=755", "/run/lock": "", "/tmp": "exec"},
        mounts=[Mount(path, None, type="volume") for path in ("/var/lib/docker", "/var/tmp")],
    )
    return {**config, "MaskedPaths": [], "ReadonlyPaths": [], "CgroupnsMode": "private"}
