"""A Debian machine with a kernel of its own: QEMU, without the processor's help for it.

Its engine has cgroup v2 with the systemd driver and AppArmor, whatever this machine has; all takes
about ten times as long. Packages come through QEMU's user network (10.0.2.2 is this machine,
10.0.2.3 its resolver; see "Network emulation" in QEMU's manual).
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from paas.build.debian import apt_sources, local_authorities
from paas.build.rootfs import SCRATCH, run_tool
from paas.settings import Settings
from tests.hosts.machine import CHECKOUT, PACKAGES

PATIENCE = 3600  # seconds for one command
TOOLS = {"qemu-system-x86_64": "qemu-system-x86", "mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs"}
SIZE = "16G"  # of the disk; what was never written takes no room here
# What the images of cloud providers have; then what bootstrap.sh would install, which takes longer.
SYSTEM = (*PACKAGES, "apparmor", "initramfs-tools", "kmod", "linux-image-cloud-amd64", "udev")
READY = (
    "curl", "docker.io", "e2fsprogs", "git", "iptables", "mmdebstrap", "nftables", "nginx-light",
    "openssh-client", "procps", "python3", "python3-venv",
)  # fmt: skip
FILES = {
    "etc/fstab": "/dev/vda / ext4 defaults 0 1\n",
    "etc/hostname": "fresh\n",
    "etc/hosts": "127.0.0.1 localhost fresh\n",
    "etc/resolv.conf": "nameserver 10.0.2.3\n",
    "etc/systemd/network/80-all.network": "[Match]\nName=en*\n[Network]\nDHCP=ipv4\n",
}


class VirtualMachine:
    """One running machine; `run` types as root over ssh, without a terminal."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port

    def run(self, command: str, stdin: bytes = b"") -> tuple[int, str]:
        """Run a shell command; return its exit status and all that it wrote. 255: no connection."""
        done = subprocess.run(
            [*self._ssh(), "root@127.0.0.1", f"exec 2>&1; {command}"], input=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return done.returncode, done.stdout.decode(errors="replace")

    def type(self, command: str, stdin: bytes = b"") -> str:
        """Run a command that must succeed; return what it wrote."""
        status, text = self.run(command, stdin)
        assert status == 0, f"{command}: {status}\n{text[-6000:]}"
        return text

    def put(self, folder: str, revision: str) -> None:
        """Lay a revision of this repository out in a folder, as a checkout does."""
        command = ("git", "-C", str(CHECKOUT), "archive", "--format=tar", revision)
        tar = subprocess.run(command, capture_output=True, check=True, timeout=60).stdout
        self.type(f"mkdir -p {folder} && tar -x -C {folder}", tar)

    @contextlib.contextmanager
    def engine(self) -> Iterator[str]:
        """Yield an address at which this machine's engine answers here."""
        path = self._folder / "docker.sock"
        argv = [*self._ssh("ExitOnForwardFailure=yes"), "-N", "-L", f"{path}:/run/docker.sock"]
        process = subprocess.Popen([*argv, "root@127.0.0.1"])
        try:
            deadline = time.monotonic() + 60
            while not path.exists():
                assert time.monotonic() < deadline, "the engine's socket is not passed on"
                time.sleep(0.2)
            yield f"unix://{path}"
        finally:
            process.terminate()
            process.wait()
            path.unlink(missing_ok=True)

    def reboot(self) -> None:
        """Shut down and boot; return when the new kernel lets one in."""
        before = self.type("cat /proc/sys/kernel/random/boot_id")
        self.run("systemctl reboot")
        self.await_boot(before)

    def await_boot(self, before: str = "") -> None:
        """Return when another boot than `before` lets one in; services may still be starting."""
        deadline = time.monotonic() + 600
        while True:
            status, boot = self.run("cat /proc/sys/kernel/random/boot_id")
            if status == 0 and boot != before:
                return
            assert time.monotonic() < deadline, (self._folder / "console").read_text()[-4000:]
            time.sleep(1)

    def _ssh(self, *more: str) -> list[str]:
        options = (
            "ConnectTimeout=20", "LogLevel=ERROR", "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null", *more,
        )  # fmt: skip
        words = (word for option in options for word in ("-o", option))
        return ["ssh", "-F", "none", "-i", str(self._folder / "key"), "-p", str(self._port), *words]


@contextlib.contextmanager
def virtual(suite: str) -> Iterator[VirtualMachine]:
    """Make a clean machine of a Debian suite, boot it, and remove it with its disk at the end."""
    missing = [package for tool, package in TOOLS.items() if not shutil.which(tool)]
    assert not missing, f"Run: apt-get install {' '.join(missing)}"
    with TemporaryDirectory(prefix="paas-vm-", dir=SCRATCH) as scratch:
        folder = Path(scratch)
        _make_disk(suite, folder)
        port = _free_port()
        with (folder / "qemu.log").open("w") as log:
            process = subprocess.Popen(_command(folder, port), stdout=log, stderr=log)
        try:
            machine = VirtualMachine(folder, port)
            machine.await_boot()
            yield machine
        finally:
            process.kill()
            process.wait()


def _make_disk(suite: str, folder: Path) -> None:
    root = folder / "root"
    packages = ",".join((*SYSTEM, *READY))
    sources = apt_sources(suite)
    argv = ["mmdebstrap", "--format=directory", "--variant=minbase", f"--include={packages}"]
    environment = os.environ | {"TMPDIR": str(SCRATCH), "LC_ALL": "C.UTF-8"}
    run_tool([*argv, suite, str(root), *sources], "The root was not made", environment)
    for path, text in FILES.items():
        (root / path).unlink(missing_ok=True)  # it may be a link
        (root / path).write_text(text)
    _let_in(root, folder / "key")
    _trust(root)
    run_tool(["chroot", str(root), "systemctl", "enable", "ssh", "systemd-networkd"], "No services")
    for name in ("vmlinuz", "initrd.img"):
        shutil.copy(next((root / "boot").glob(f"{name}-*")), folder / name)
    disk = str(folder / "disk")
    run_tool(["mke2fs", "-q", "-t", "ext4", "-d", str(root), disk, SIZE], "The disk was not made")
    shutil.rmtree(root)


def _let_in(root: Path, key: Path) -> None:
    run_tool(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], "No key was made")
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(f"{key}.pub", root / "root/.ssh/authorized_keys")


def _trust(root: Path) -> None:
    """Trust what this machine trusts: a company's proxy may stand before the mirrors."""
    for number, certificate in enumerate(local_authorities(Settings().ca_bundle)):
        file = root / f"usr/local/share/ca-certificates/outside-{number}.crt"
        file.write_text(certificate + "\n")
    run_tool(["chroot", str(root), "update-ca-certificates"], "The authorities were not taken over")


def _command(folder: Path, port: int) -> list[str]:
    return [
        "nice", "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max",
        "-smp", "2", "-m", "4096", "-nodefaults", "-display", "none",
        "-serial", f"file:{folder / 'console'}",
        "-kernel", str(folder / "vmlinuz"), "-initrd", str(folder / "initrd.img"),
        "-append", "root=/dev/vda rw console=ttyS0 quiet",
        "-drive", f"file={folder / 'disk'},if=virtio,format=raw,cache=unsafe,discard=unmap",
        "-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{port}-:22",
        "-device", "virtio-rng-pci",
    ]  # fmt: skip


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
