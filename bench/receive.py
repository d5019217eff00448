"""A push of a large history until git has the prompt back, next to stock `git receive-pack`.

Through both doors: paas's own server next to a bare paramiko server, OpenSSH next to itself; and
once more through its own with a daemon that finds no git and does all of it in Python, next to the
same floor. The branch is one that is stored and not deployed, in an app that is new each time. For
the history of 300 MB the setting max_pack, 200 MB by default, is raised to 400 MB. Memory is that
of the request's process, of the door's, and of all that both start, with the share of libraries
that falls to them (PSS), at its highest; sshd's own processes are not counted.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench.histories import COMMITS, LARGE, write_large_blobs, write_many_objects
from bench.live import wait_until
from bench.measure import Row, Sample, in_turns, ratios, time_call
from bench.peak import below, named, watched
from bench.sshd import Sshd, sshd
from bench.without_git import without_git
from tests.journeys.belongings import name_of, processes
from tests.journeys.instance import Instance, free_ports

RECEIVE = Path(__file__).parent / "floor" / "ssh_receive.py"
MB = 1024 * 1024
SETTINGS = {
    "max_pack": str(400 * MB),
    "door_user": f"paas-b{secrets.token_hex(3)}",  # sshd's user wants a shell, and is removed
}
TURNS = 3
REACH = 1.5  # times the floor


@dataclass(frozen=True)
class History:
    """A history, and how much memory its push may take, in MB."""

    what: str
    repository: Path
    memory: float


@dataclass
class Receiving:
    """Pushes of one history, by four ways; `peaks` are the MB that the request took, per way."""

    instance: Instance
    history: History
    sshd: Sshd
    bare: int  # the bare server's port
    peaks: dict[str, list[float]] = field(default_factory=dict)

    def own_door(self, _turn: int) -> float:
        """Return the seconds that a push through paas's own server took."""
        door = processes(self.instance)["ssh door"]
        host = f"paas@127.0.0.1:{self.instance.ssh_port}"
        return self._to_paas("own", host, lambda: (door, *below(door)))

    def openssh_door(self, _turn: int) -> float:
        """Return the seconds that a push through the OpenSSH door took."""

        def door() -> Iterable[int]:
            return (pid for pid in below(self.sshd.pid) if not name_of(pid).startswith("sshd"))

        return self._to_paas("openssh", f"{self.sshd.user}@127.0.0.1:{self.sshd.port}", door)

    def bare_server(self, _turn: int) -> float:
        """Return the seconds that a push to stock git behind a bare paramiko server took."""
        return self._to_stock(self.bare)

    def bare_openssh(self, _turn: int) -> float:
        """Return the seconds that a push to stock git behind OpenSSH took."""
        return self._to_stock(self.sshd.port)

    def _to_paas(self, way: str, host: str, door: Callable[[], Iterable[int]]) -> float:
        app = f"receive{secrets.token_hex(3)}"
        self.instance.paas("apps:create", app)
        supervisor = processes(self.instance)["supervisor"]
        with watched(lambda: (*named(supervisor, "paas-request"), *door())) as peak:
            took = self._push(f"ssh://{host}/{app}")
        self.instance.paas("apps:destroy", app, "--force")
        self.peaks.setdefault(way, []).append(peak.size)
        return took

    def _to_stock(self, port: int) -> float:
        target = self.instance.root / "floor.git"
        subprocess.run(["git", "init", "-q", "--bare", str(target)], check=True, timeout=60)
        try:
            return self._push(f"ssh://root@127.0.0.1:{port}{target}")
        finally:
            shutil.rmtree(target)

    def _push(self, url: str) -> float:
        command = ["git", "push", "-q", url, "master:refs/heads/stored"]
        environ = {"GIT_SSH_COMMAND": self.instance.ssh.for_git, "PATH": os.environ["PATH"]}
        # With pipes, for without them a timeout makes Python look every 50 ms whether it has ended.
        push = partial(subprocess.run, command, cwd=self.history.repository, env=environ)
        return time_call(partial(push, check=True, capture_output=True, timeout=900))


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return the rows of both histories; quick ones are a tenth of them."""
    share = 10 if quick else 1
    many = History("110,000 objects, 26 MB", instance.root / "many.git", 200)
    large = History("300 MB in large files", instance.root / "large.git", 400)
    write_many_objects(many.repository, COMMITS // share)
    write_large_blobs(large.repository, LARGE[::share])
    turns = 1 if quick else TURNS
    with sshd(instance) as host_sshd, bare_server() as bare:

        def pushes() -> Iterator[Receiving]:
            return (Receiving(instance, each, host_sshd, bare) for each in (many, large))

        rows = [row for each in pushes() for row in _rows(each, turns)]
        with without_git(instance):
            return rows + [row for each in pushes() for row in _rows_without_git(each, turns)]


def _rows(receiving: Receiving, turns: int) -> list[Row]:
    doors = (receiving.own_door, receiving.bare_server)
    openssh = (receiving.openssh_door, receiving.bare_openssh)
    own, bare, ours, stock = in_turns(turns, *doors, *openssh)
    what = receiving.history.what
    return [
        Row(f"{what}: push through paas's own door", own, "s"),
        Row("its floor: stock git behind a bare paramiko server", bare, "s"),
        Row("own door / floor", ratios(own, bare), "x", REACH, note="turn by turn"),
        _memory(receiving, "own"),
        Row(f"{what}: push through the OpenSSH door", ours, "s"),
        Row("its floor: stock git behind OpenSSH", stock, "s"),
        Row("OpenSSH door / floor", ratios(ours, stock), "x", REACH, note="turn by turn"),
        _memory(receiving, "openssh"),
    ]


def _rows_without_git(receiving: Receiving, turns: int) -> list[Row]:
    own, bare = in_turns(turns, receiving.own_door, receiving.bare_server)
    return [
        Row(f"{receiving.history.what}: push to a daemon that finds no git", own, "s"),
        Row("its floor: stock git behind a bare paramiko server", bare, "s"),
        Row("without git / floor", ratios(own, bare), "x", REACH, note="turn by turn"),
        _memory(receiving, "own"),
    ]


def _memory(receiving: Receiving, way: str) -> Row:
    peaks = Sample(tuple(receiving.peaks[way]))
    what = "memory of door and request meanwhile (PSS)"
    return Row(what, peaks, "MB", receiving.history.memory, note="highest of each push")


@contextlib.contextmanager
def bare_server() -> Iterator[int]:
    """Run a bare paramiko server with stock git behind it; yield its port."""
    (port,) = free_ports(1)
    command = [sys.executable, str(RECEIVE), str(port)]
    # Its complaint about _answers(), which speaks no ssh, is not worth reading.
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: _answers(port), "the bare ssh server does not answer")
            yield port
        finally:
            server.kill()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
