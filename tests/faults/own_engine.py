"""An engine beside the host's, in the host's network, that a test may stop, kill and freeze."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from paas.engine_api import api_version
from tests.nested_engine import STACKS, copy_image

WAIT = 60.0


@dataclass
class OwnEngine:
    """A dockerd that we hold as our child; its data outlives it."""

    folder: Path
    bridge: str
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        """What PAAS_ENGINE is set to."""
        return f"unix://{self.folder}/docker.sock"

    def start(self) -> None:
        """Start it; return when it answers. It leaves iptables to the host's engine."""
        argv = [
            "dockerd", "--host", self.address, "--pidfile", str(self.folder / "pid"),
            "--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "exec"),
            "--bridge", self.bridge, "--iptables=false", "--ip-masq=false",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + WAIT
        while not self.answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise AssertionError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def end(self, number: signal.Signals) -> None:
        """End it by a signal; containers go with an order to stop, not with a kill."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(WAIT)
        (self.folder / "pid").unlink(missing_ok=True)
        file = self.folder / "exec" / "containerd" / "containerd.pid"
        if file.exists():  # it outlived a kill, or nobody has buried it: the next dockerd waits
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(file.read_text()), signal.SIGKILL)
            file.unlink()

    def answers(self) -> bool:
        """Whether it answers."""
        try:
            return bool(api_version(self.address, 2))
        except OSError:
            return False


@contextlib.contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """Start an engine with the stack's images; remove all of it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="paas-engine-", dir="/var/tmp"))
    bridge, subnet = f"pe{secrets.token_hex(3)}", f"198.19.{secrets.randbelow(250)}.1/24"
    for argv in (
        ["ip", "link", "add", bridge, "type", "bridge"],
        ["ip", "addr", "add", subnet, "dev", bridge],
        ["ip", "link", "set", bridge, "up"],
    ):
        subprocess.run(argv, check=True, timeout=10)
    engine = OwnEngine(folder, bridge)
    try:
        engine.start()
        for name in STACKS:
            copy_image(name, engine.address)
        yield engine
    finally:
        _remove(engine)


def _remove(engine: OwnEngine) -> None:
    if engine.process is not None and engine.process.poll() is None:
        engine.process.send_signal(signal.SIGCONT)
        engine.end(signal.SIGTERM)
    _end_what_is_left(engine.folder)
    subprocess.run(["ip", "link", "del", engine.bridge], check=False, timeout=10)
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in reversed([m for m in mounts if m.startswith(f"{engine.folder}/")]):
        subprocess.run(["umount", "-l", mount], check=False, timeout=10)
    shutil.rmtree(engine.folder, ignore_errors=True)


def _end_what_is_left(folder: Path) -> None:
    """End the containerd and the shims of an engine that was killed: their folders are ours."""
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
