"""The network goes in the middle of a pack: silence, or a reset, from a namespace of its own."""

import contextlib
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from tests.faults.tally import Tally
from tests.faults.world import World, wait_for

PACK = 4 << 20  # bytes that no compression makes smaller
RATE = "8mbit"  # so slow that there is a middle
SHARES = (0.1, 0.5, 0.9)
GONE = 240.0  # seconds until the door gives a silent client up


@dataclass(frozen=True)
class Link:
    """A namespace with one link to the host, which can be cut."""

    name: str
    subnet: IPv4Network

    @property
    def host(self) -> str:
        """The host's address on the link."""
        return str(self.subnet[1])

    def inside(self, *argv: str) -> list[str]:
        """Return the command line that runs a program in the namespace."""
        return ["ip", "netns", "exec", self.name, *argv]

    def cut(self, verdict: str) -> None:
        """Let nothing through; what comes in is dropped, or answered: `reject with tcp reset`."""
        rules = f"""
        table inet cut {{
            chain out {{ type filter hook output priority 0; tcp flags & rst == rst accept; drop; }}
            chain in {{ type filter hook input priority 0; meta l4proto tcp {verdict}; drop; }}
        }}
        """
        argv = self.inside("nft", "-f", "-")
        subprocess.run(argv, input=rules, text=True, check=True, timeout=10)

    def mend(self) -> None:
        """Let packets through again."""
        subprocess.run(self.inside("nft", "flush", "ruleset"), check=True, timeout=10)


def cut_in_the_pack(world: World, *, quick: bool) -> Tally:
    """Cut the client's network at shares of the pack, by silence and by a reset."""
    tally = Tally("network cut in the pack")
    ways = [("reject with tcp reset", 0.5)] if quick else []
    ways = ways or [(w, s) for w in ("reject with tcp reset", "drop") for s in SHARES]
    with slow_link() as link:
        for verdict, share in ways:
            with tally.attempt(f"{verdict} at {100 * share:.0f} %"):
                _cut_once(world, tally, link, verdict, share)
    return tally


def _cut_once(world: World, tally: Tally, link: Link, verdict: str, share: float) -> None:
    world.commit()  # what somebody else pushes while this one's network is away
    elsewhere = world.git.git("rev-parse", "HEAD").stdout.strip()
    (world.git.tree / "large.bin").write_bytes(os.urandom(PACK))
    version = world.commit()
    [repository] = world.platform.settings.repos.glob("*.git")
    url = world.git.url.replace("127.0.0.1", link.host)
    client = subprocess.Popen(
        link.inside("git", "push", url, "master"),
        cwd=world.git.tree,
        env=world.git.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for(lambda: received(repository) > share * PACK, lambda: "the pack does not come", 60)
        assert client.poll() is None, "the push was over before"
        link.cut(verdict)
        tally.hit()
        start = time.monotonic()
        world.git.push(f"{elsewhere}:master")
        assert world.live() == world.versions[elsewhere], "nobody else can push meanwhile"
        wait_for(lambda: not _quarantines(repository), lambda: "the quarantine stays", GONE)
        tally.seconds.append(time.monotonic() - start)
    finally:
        os.killpg(client.pid, signal.SIGKILL)  # its ssh, too, which holds on to its streams
        client.communicate()
        link.mend()
    fsck = ["git", "-C", str(repository), "fsck", "--no-dangling"]
    checked = subprocess.run(fsck, capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stderr
    world.await_whole()
    world.git.push()
    assert world.answer() == version, "the same push, again, does not go live"


def _quarantines(repository: Path) -> list[Path]:
    return list((repository / "quarantine").iterdir())


def received(repository: Path) -> int:
    """Return the bytes of the files in quarantine."""
    size = 0
    for folder, _, files in os.walk(repository / "quarantine"):  # which bears that it goes
        for name in files:
            with contextlib.suppress(OSError):
                size += (Path(folder) / name).stat().st_size
    return size


@contextlib.contextmanager
def slow_link() -> Iterator[Link]:
    """Make a namespace, and a slow link to it."""
    name = f"cut{secrets.token_hex(3)}"
    link = Link(name, IPv4Network((f"198.18.{secrets.randbelow(250)}.0", 30)))
    inside = link.inside
    made = (
        ["ip", "netns", "add", name],
        ["ip", "link", "add", f"v{name}", "type", "veth", "peer", "name", "eth0", "netns", name],
        ["ip", "addr", "add", f"{link.host}/30", "dev", f"v{name}"],
        ["ip", "link", "set", f"v{name}", "up"],
        inside("ip", "addr", "add", f"{link.subnet[2]}/30", "dev", "eth0"),
        inside("ip", "link", "set", "eth0", "up"),
        inside("tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", RATE,
               "burst", "16kb", "latency", "100ms"),
    )  # fmt: skip
    try:
        for argv in made:
            subprocess.run(argv, check=True, timeout=10, capture_output=True)
        yield link
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, timeout=10, capture_output=True)
