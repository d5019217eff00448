"""A running daemon for tests: real supervisor, real doors, real ssh client; small commands."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from paas.keys import authorized_lines, parse_key
from paas.settings import Settings
from tests.claims import free_port

ROOT = Path(__file__).parent.parent.parent
DOOR_USER = "nobody"
Done = subprocess.CompletedProcess[bytes]


def wait_for(condition: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until something is true; fail when it does not become so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@dataclass
class Running:
    """One daemon in a root of its own. Ann's key is known, Eve's is not."""

    root: Path
    port: int = field(default_factory=free_port)
    limits: dict[str, float] = field(default_factory=dict)
    daemon: subprocess.Popen[bytes] | None = None

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "PAAS_CONFIG": str(self.root / "paas.toml"),
            "PAAS_ROOT": str(self.root),
            "PAAS_DOOR_USER": DOOR_USER,
            "PAAS_SSH_LISTEN": "127.0.0.1",
            "PAAS_SSH_PORT": str(self.port),
        }

    @property
    def socket(self) -> Path:
        return self.root / "run" / "paas.sock"

    @property
    def log(self) -> str:
        return (self.root / "log" / "paas.log").read_text()

    def start(self, **limits: float) -> None:
        names = json.dumps({self.fingerprint("ann"): "ann"})
        program = str(ROOT / "tests/doors/daemon_for_tests.py")
        with (self.root / "out").open("ab") as out:
            self.daemon = subprocess.Popen(
                [sys.executable, program, names, json.dumps(limits)],
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                extra_groups=[4],  # to be seen dropping it for the ssh door
            )
        daemon = self.daemon
        wait_for(lambda: self.local("help").returncode == 0 or daemon.poll() is not None)
        assert daemon.poll() is None, (self.root / "out").read_text()
        wait_for(lambda: len(self.helpers()) == 2)

    def stop(self) -> None:
        if self.daemon:
            self.daemon.send_signal(signal.SIGTERM)
            self.daemon.wait(15)
            self.daemon = None

    def make_key(self, name: str, kind: str = "ed25519") -> None:
        key = str(self.root / name)
        make = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", name, "-f", key]
        subprocess.run(make, check=True, timeout=60)

    def authorize(self, *names: str) -> None:
        """Write authorized_keys as paas does: atomically, with options that OpenSSH reads."""
        folder = self.root / "door"
        folder.mkdir(exist_ok=True)
        keys = [parse_key(name, (self.root / f"{name}.pub").read_text()) for name in names]
        new = folder / "new"
        new.write_text(authorized_lines(Settings(root=self.root), keys))
        new.chmod(0o644)
        new.replace(folder / "authorized_keys")

    def fingerprint(self, name: str) -> str:
        listed = ["ssh-keygen", "-lf", str(self.root / f"{name}.pub")]
        return subprocess.run(
            listed, check=True, capture_output=True, text=True, timeout=30
        ).stdout.split()[1]

    @property
    def local_argv(self) -> list[str]:
        return [sys.executable, "-m", "paas"]

    def local(self, *argv: str, data: bytes = b"", environ: dict[str, str] | None = None) -> Done:
        return subprocess.run(
            [*self.local_argv, *argv],
            env=self.environ | (environ or {}),
            input=data,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def openssh(self, command: str, data: bytes = b"", key: str = "ann") -> Done:
        """Run the forced command as sshd would, as the doors' user."""
        return subprocess.run(
            [*self.local_argv, "door", "--key", self.fingerprint(key)],
            env=self.environ | {"SSH_ORIGINAL_COMMAND": command},
            user=DOOR_USER,
            group="nogroup",
            extra_groups=[],
            input=data,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def ssh_argv(self, *command: str, flags: tuple[str, ...] = (), key: str = "ann") -> list[str]:
        """Return the command line of a real client; `flags` win over our options."""
        options = {
            "UserKnownHostsFile": str(self.root / "known_hosts"),
            "StrictHostKeyChecking": "accept-new",
            "LogLevel": "ERROR",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
        }
        ours = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        where = ["-F", "none", "-p", str(self.port), "-i", str(self.root / key)]
        return ["ssh", *where, *flags, *ours, "--", "paas@127.0.0.1", *command]

    def ssh(
        self, *command: str, data: bytes = b"", key: str = "ann", flags: tuple[str, ...] = ()
    ) -> Done:
        return subprocess.run(
            self.ssh_argv(*command, flags=flags, key=key),
            input=data,
            capture_output=True,
            timeout=60,
            check=False,
        )

    def helpers(self) -> dict[str, int]:
        """Return {"ssh door": pid, "background": pid} of the supervisor's living helpers."""
        found = {}
        for pid in children_of(self.daemon.pid if self.daemon else 0):
            with contextlib.suppress(OSError):
                command = Path(f"/proc/{pid}/cmdline").read_bytes()
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                if b"paas.doors.ssh" in command:
                    found["ssh door"] = pid
                elif name == "paas-background":
                    found["background"] = pid
        return found


def children_of(pid: int) -> list[int]:
    """Return the living children of a process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry.name))
    return found


@contextlib.contextmanager
def made() -> Iterator[Running]:
    root = Path(tempfile.mkdtemp(prefix="paas-doors-", dir="/var/tmp"))
    root.chmod(0o755)  # the doors' user reads below it
    running = Running(root)
    for name in ("ann", "eve"):
        running.make_key(name)
    running.authorize("ann")
    try:
        yield running
    finally:
        running.stop()
        shutil.rmtree(root)


@pytest.fixture(name="shared", scope="module")
def make_shared() -> Iterator[Running]:
    """One daemon for a whole module: for tests that leave it as it was."""
    with made() as running:
        running.start()
        yield running


@pytest.fixture(name="own")
def make_own() -> Iterator[Running]:
    """A daemon for one test that kills, floods or changes it; not started yet."""
    with made() as running:
        yield running
