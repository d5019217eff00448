"""A real sshd for one instance: as its OpenSSH door, and with stock git for root as the floor."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

from bench.live import wait_until
from bench.push_to_live import settings_of
from paas.setup.openssh import open_openssh_door
from tests.journeys.instance import CHECKOUT, Instance, free_ports

CONFIG = """\
Include {etc}/sshd_config.d/*.conf
ListenAddress 127.0.0.1
Port {port}
PidFile {etc}/sshd.pid
HostKey {etc}/host_key
AuthorizedKeysFile {etc}/floor_keys
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
MaxStartups 300
SetEnv PATH={etc}/bin:/usr/bin:/bin
"""
WRAPPER = """\
#!/bin/sh
export PAAS_CONFIG={root}/paas.toml PAAS_ROOT={root} PYTHONPATH={checkout}
exec {python} -m paas "$@"
"""
PATIENCE = 20.0


@dataclass(frozen=True)
class Sshd:
    """A running sshd; `user` opens the door, root the floor."""

    pid: int
    port: int
    user: str


@contextlib.contextmanager
def sshd(instance: Instance) -> Iterator[Sshd]:
    """Start one on loopback. The instance must have a door user of its own, which goes with it."""
    settings = replace(settings_of(instance), openssh=True)
    etc = instance.root / "ssh"
    (etc / "sshd_config.d").mkdir(parents=True)
    (etc / "bin").mkdir()
    (port,) = free_ports(1)
    (etc / "sshd_config").write_text(CONFIG.format(etc=etc, port=port))
    (etc / "floor_keys").write_text(instance.ssh.public_key)
    wrapper = etc / "bin" / "paas"
    wrapper.write_text(WRAPPER.format(root=instance.root, checkout=CHECKOUT, python=sys.executable))
    wrapper.chmod(0o755)
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(etc / "host_key")]
    subprocess.run(make, check=True, timeout=60)
    open_openssh_door(settings, str, etc)
    command = ["/usr/sbin/sshd", "-D", "-E", str(etc / "log"), "-f", str(etc / "sshd_config")]
    with subprocess.Popen(command) as process:
        try:
            wait_until((etc / "sshd.pid").exists, "sshd does not start")
            yield Sshd(process.pid, port, settings.door_user)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
    # The door of the instance still runs as this user, until the instance is stopped.
    subprocess.run(["userdel", "--force", settings.door_user], check=True, timeout=60)
