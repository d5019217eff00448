"""The OpenSSH door behind a real sshd that has the drop-in which setup writes."""

import hashlib
import os
import pwd
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import pytest

from paas.doors.ssh_session import set_size
from paas.settings import load
from paas.setup.host import add_door_user
from paas.setup.openssh import open_openssh_door
from tests.claims import free_port
from tests.doors.running import ROOT, Running, made, wait_for
from tests.doors.test_ssh_server import on_a_terminal, read_until

CONFIG = """\
Include {etc}/sshd_config.d/*.conf
ListenAddress 127.0.0.1
Port {port}
PidFile {etc}/sshd.pid
HostKey {etc}/host_key
UsePAM no
PasswordAuthentication yes
MaxStartups 100
SetEnv PATH={etc}/bin:/usr/bin:/bin
ForceCommand internal-sftp
Subsystem sftp internal-sftp
TrustedUserCAKeys {etc}/ca.pub
"""
# Setup's question to sshd is about one address, and not one of these.
OWN = """\
Match Address 127.0.0.0/8
    TrustedUserCAKeys {etc}/ca.pub
    PasswordAuthentication yes
"""
WRAPPER = """\
#!/bin/sh
export PAAS_CONFIG={root}/paas.toml PYTHONPATH={checkout}
exec {python} -m paas "$@"
"""
SIZE = 200_000_000


@dataclass
class BehindSshd(Running):
    """A daemon whose clients come through sshd, as the user of the doors."""

    user: str = "nobody"
    sshd_port: int = field(default_factory=free_port)
    sshd: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        return super().environ | {"PAAS_DOOR_USER": self.user, "PAAS_OPENSSH": "true"}

    def ssh_argv(self, *command: str, flags: tuple[str, ...] = (), key: str = "ann") -> list[str]:
        ours = {str(self.port): str(self.sshd_port), "paas@127.0.0.1": f"{self.user}@127.0.0.1"}
        return [ours.get(word, word) for word in super().ssh_argv(*command, flags=flags, key=key)]

    def start_sshd(self) -> None:
        etc = self.root / "ssh"
        (etc / "sshd_config.d").mkdir(parents=True)
        (etc / "bin").mkdir()
        (etc / "sshd_config").write_text(CONFIG.format(etc=etc, port=self.sshd_port))
        wrapper = etc / "bin" / "paas"
        wrapper.write_text(WRAPPER.format(root=self.root, checkout=ROOT, python=sys.executable))
        wrapper.chmod(0o755)
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(etc / "host_key")]
        subprocess.run(make, check=True, timeout=60)
        ca = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(etc / "ca")]
        subprocess.run(ca, check=True, timeout=60)
        (etc / "sshd_config.d" / "10-own.conf").write_text(OWN.format(etc=etc))
        open_openssh_door(load(self.environ), str, etc)
        command = ["/usr/sbin/sshd", "-D", "-e", "-f", str(etc / "sshd_config")]
        with (self.root / "sshd.log").open("wb") as log:
            self.sshd = subprocess.Popen(command, stderr=log)
        wait_for((etc / "sshd.pid").exists)

    def stop(self) -> None:
        if self.sshd:
            self.sshd.send_signal(signal.SIGTERM)
            self.sshd.wait(15)
        super().stop()


@pytest.fixture(scope="module")
def door() -> Iterator[BehindSshd]:
    """A user as setup makes it, a daemon, and an sshd on a port of its own."""
    with made() as plain:
        running = BehindSshd(plain.root, user=f"paas-t{secrets.token_hex(3)}")
        add_door_user(load(running.environ), str)
        try:
            running.start()
            running.start_sshd()
            yield running
        finally:
            running.stop()
            wait_for(lambda: not subprocess.run(["userdel", running.user], check=False).returncode)


def test_setup_gives_the_user_a_shell_for_forced_commands(door: BehindSshd) -> None:
    assert pwd.getpwnam(door.user).pw_shell == "/bin/sh"


def test_words_and_exit_statuses_pass(door: BehindSshd) -> None:
    done = door.ssh("test:echo 'with space' '$(id)' \";id\"")
    assert done.stdout == b"ann ['with space', '$(id)', ';id']\n"
    assert done.stderr == b"on stderr\n"
    assert door.ssh("test:exit 42").returncode == 42


def test_a_stranger_s_key_opens_nothing(door: BehindSshd) -> None:
    done = door.ssh("help", key="eve")
    assert done.returncode == 255
    assert b"Permission denied (publickey)" in done.stderr


def test_a_certificate_of_the_host_s_authority_opens_nothing(door: BehindSshd) -> None:
    """It has no forced command: it would have the shell of the doors' user."""
    door.make_key("mallory")
    sign = ["ssh-keygen", "-q", "-s", str(door.root / "ssh" / "ca"), "-I", "mallory"]
    subprocess.run([*sign, "-n", door.user, str(door.root / "mallory.pub")], check=True, timeout=60)
    done = door.ssh("id", key="mallory")
    assert (done.returncode, done.stdout) == (255, b"")


def test_there_is_no_shell_and_no_sftp(door: BehindSshd) -> None:
    done = door.ssh()
    assert (done.returncode, done.stderr) == (
        1,
        b" !     There is no shell here. Try the command: help\n",
    )
    assert door.ssh("sftp", flags=("-s",)).returncode != 0


def test_nothing_is_forwarded(door: BehindSshd) -> None:
    flags = ("-o", "ExitOnForwardFailure=yes", "-R", "127.0.0.1:0:127.0.0.1:1")
    assert door.ssh("test:exit 0", flags=flags).returncode == 255


@pytest.mark.parametrize(
    "command",
    [
        "test:echo $(id) `id` | id > /tmp/x",
        "test:echo 'unclosed",
        "; id",
        "\x1b[2J",
        "-c id",
        "../../bin/sh -c id",
        "git-receive-pack '../../../etc'",
        "--",
        "é" * 4000,
        "test:echo " + "x" * 9000,
    ],
)
def test_a_hostile_command_gets_an_answer_and_no_shell(door: BehindSshd, command: str) -> None:
    done = door.ssh(command)
    assert 0 <= done.returncode < 255
    assert b"uid=" not in done.stdout
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr


def test_a_terminal_has_its_size_and_learns_of_a_new_one(door: BehindSshd) -> None:
    with on_a_terminal(door, "test:terminal", 33, 111) as terminal:
        assert b"tty=True (111, 33) xterm-256color" in read_until(terminal, b"color\r\n")
    with on_a_terminal(door, "test:resize", 30, 90) as terminal:
        read_until(terminal, b"ready")
        set_size(terminal.master, 44, 132)
        assert b"(44, 132) (44, 132)" in read_until(terminal, b")\r\n")


@pytest.mark.parametrize(("key", "name"), [(b"\x03", "SIGINT"), (b"\x1c", "SIGQUIT")])
def test_a_key_that_interrupts_gives_the_command_s_own_exit_status(
    door: BehindSshd, key: bytes, name: str
) -> None:
    note = door.root / name
    with on_a_terminal(door, f"test:wait {note}", 24, 80) as terminal:
        read_until(terminal, b"pid")
        os.write(terminal.master, key)
        assert terminal.wait() == 128 + getattr(signal, name)
    assert note.read_text() == f"interrupted {name}"


def test_a_client_that_is_killed_interrupts(door: BehindSshd) -> None:
    note = door.root / "note"
    client = subprocess.Popen(door.ssh_argv(f"test:wait {note}"), stdout=subprocess.PIPE)
    with client:
        assert client.stdout
        client.stdout.read(3)
        client.kill()
    wait_for(note.exists)


def test_a_closed_terminal_lets_the_command_clean_up(door: BehindSshd) -> None:
    """The kernel, the door and the end of the control channel all tell of it."""
    with on_a_terminal(door, f"test:clean {door.root}/cleaned", 24, 80) as terminal:
        read_until(terminal, b"pid")
    wait_for((door.root / "cleaned").exists)
    assert (door.root / "cleaned").read_text() == "SIGHUP, and all is clean"


def test_200_megabytes_pass_in_and_out_unchanged(door: BehindSshd) -> None:
    with subprocess.Popen(
        door.ssh_argv("test:cat"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as client:
        assert client.stdin
        assert client.stdout
        sent = hashlib.sha256()
        writer = threading.Thread(target=pour, args=(client.stdin, sent))
        writer.start()
        size, came = 0, hashlib.sha256()
        while block := client.stdout.read(1 << 20):
            size += len(block)
            came.update(block)
        writer.join()
    assert size == SIZE
    assert came.digest() == sent.digest()


def pour(target: IO[bytes], digest: "hashlib._Hash") -> None:
    block = os.urandom(1_000_000)
    with target:
        for _ in range(SIZE // len(block)):
            digest.update(block)
            target.write(block)
