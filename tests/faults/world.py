"""An instance with tripwires, an app that is visited all the time, and what a fault does to it."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from paas import service
from paas.platform import Platform
from paas.settings import load
from paas.wiring import build_platform
from tests.faults.litter import find_dust, find_litter
from tests.faults.own_engine import OwnEngine
from tests.faults.tripwires import Trap
from tests.faults.visitor import Visitor
from tests.journeys.cable import Cable
from tests.journeys.instance import CHECKOUT, ENGINE, Instance, running
from tests.journeys.programs import Git

PATIENCE = 90.0  # seconds until everything is whole again: more than the reconciler's minute
UPKEEP = 300.0  # seconds for what goes once a minute, and takes a second per hurried build
POLL = 0.05
APP = """\
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        if self.path.startswith("/slow/"):
            time.sleep(float(self.path.removeprefix("/slow/")))
        self.answer(b"{version}")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"""
FILES = {"requirements.txt": "", "Procfile": "web: python3 app.py\n"}


@dataclass
class World:
    """One app, `shop`, on an instance of its own. Every version is a commit of that name."""

    instance: Instance
    cable: Cable
    trap: Trap
    random: random.Random
    platform: Platform
    git: Git
    visitor: Visitor
    versions: dict[str, str] = field(default_factory=dict)  # commit -> what it answers
    daemon: subprocess.Popen[bytes] | None = None
    engine: OwnEngine | None = None

    def commit(self, git: Git | None = None, **files: str) -> str:
        """Commit a new version; return its name."""
        tree = git or self.git
        version = f"v{len(self.versions)}"
        for path, text in (FILES | {"app.py": APP.replace("{version}", version)} | files).items():
            tree.write(path, text)
        self.versions[tree.commit(version)] = version
        return version

    def push(self, git: Git | None = None) -> subprocess.Popen[str]:
        """Start `git push`; nobody waits for it."""
        tree = git or self.git
        return subprocess.Popen(
            ["git", "push", "paas", "master"],
            cwd=tree.tree,
            env=tree.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def answer(self, app: str = "shop") -> str:
        """Return what the app answers now."""
        return self.instance.curl(app).stdout

    def live(self) -> str:
        """Return the version that the database says is current."""
        app = self.platform.store.apps.get("shop")
        release = self.platform.store.releases.current(app.id)
        assert release is not None
        return self.versions[str(release.commit)]

    def await_whole(self) -> float:
        """Wait until nothing is left of a fault; return the seconds. Fails with what is left."""
        return wait_for(lambda: not self.litter(), lambda: "; ".join(self.litter()))

    def litter(self) -> list[str]:
        """Return all that is too much, or not as it should be."""
        found = find_litter(self.platform, self.instance)
        if not found and (answer := self.answer()) != self.live():
            found.append(f"{answer!r} answers, {self.live()} is current")
        return found

    def await_clean(self) -> float:
        """Have everything looked at, and wait until no image and no file is too much."""
        self.await_whole()
        wait_for(lambda: len(self.platform.store.containers.list()) == 1, lambda: "it drains")
        self.instance.paas("stop")  # every task of the background is done at its start
        self.start_daemon()
        return wait_for(lambda: not self.dust(), lambda: "; ".join(self.dust()), UPKEEP)

    def dust(self) -> list[str]:
        """Return the images and files that nobody needs."""
        return find_dust(self.platform, self.instance.root)

    def prove_next_push(self) -> None:
        """Push another version: it must go live."""
        version = self.commit()
        done = self.git.push(check=False)
        assert done.returncode == 0, last_words(done.stderr)
        assert self.answer() == version, f"{version} was accepted and does not answer"

    def request_at_work(self) -> int | None:
        """Return the pid of the daemon's child that works on a request, if there is one."""
        daemon = self.daemon_pid()
        for child in children_of(daemon):
            if name_of(child) == "paas-request":
                return child
        return None

    def daemon_pid(self) -> int:
        """Return the supervisor's pid."""
        return int(self.platform.settings.pid_file.read_text().split()[0])

    def start_daemon(self) -> None:
        """Start `paas serve` with tripwires; return when it answers. One before it has ended."""
        if self.daemon:
            self.daemon.wait(30)
        with (self.platform.settings.logs / "serve.out").open("ab") as out:
            self.daemon = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.daemon", str(self.trap.file)],
                cwd=CHECKOUT,
                env=self.instance.environ | {"PYTHONPATH": str(CHECKOUT)},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        wait_for(lambda: service.answers(self.platform.settings), lambda: "the daemon is silent")

    def kill_everything(self) -> None:
        """Kill every process of paas at once, as a power cut does; containers live on."""
        family = [*below(self.daemon_pid()), self.daemon_pid()]
        for number in (signal.SIGSTOP, signal.SIGKILL):  # stopped first: nobody sees another die
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        assert self.daemon is not None
        self.daemon.wait(10)


@contextlib.contextmanager
def build_world(
    seed: int,
    parent: Path = Path("/var/tmp"),
    own_engine: OwnEngine | None = None,
    **settings: str,
) -> Iterator[World]:
    """Set up an instance with a live app, and visit it all the time.

    The host's engine is reached by a cable that can be cut, an engine of the test's own directly.
    """
    with tempfile.TemporaryDirectory(prefix="paas-faults-") as folder:
        cable = Cable(Path(folder) / "docker.sock", ENGINE.removeprefix("unix://"))
        seen, used = ENGINE, cable.address
        if own_engine:
            seen = used = own_engine.address
        with running(parent, seen, engine=used, **settings) as instance:
            instance.paas("stop")
            platform = build_platform(load(instance.environ))
            visitor = Visitor(instance.http_port, f"shop.{instance.domain}")
            git = instance.app("shop")
            trap = Trap(Path(folder) / "trap")
            world = World(instance, cable, trap, random.Random(seed), platform, git, visitor)
            world.engine = own_engine
            try:
                world.start_daemon()
                world.prove_next_push()
                world.await_whole()
                with visitor.visiting():
                    yield world
            finally:
                trap.clear()
                platform.store.close()
                instance.paas("stop", check=False)
                if world.daemon:
                    world.daemon.wait(30)


def wait_for(
    true: Callable[[], bool], what: Callable[[], str], patience: float = PATIENCE
) -> float:
    """Wait until something is true; return the seconds. Raises AssertionError with `what`."""
    start = time.monotonic()
    while not true():
        if time.monotonic() - start > patience:
            raise AssertionError(f"not within {patience:.0f} s: {what()}")
        time.sleep(POLL)
    return time.monotonic() - start


def last_words(said: str) -> str:
    """Return the end of what a push has said, in one line."""
    return " / ".join(line.strip() for line in said.splitlines() if line.strip())[-600:]


def children_of(pid: int) -> list[int]:
    """Return the children of a process (proc(5)); none for one that is gone."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def below(pid: int) -> list[int]:
    """Return all processes below one, the deepest last."""
    return [each for child in children_of(pid) for each in (child, *below(child))]


def name_of(pid: int) -> str:
    """Return what `ps` calls a process, "" for one that is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def state_of(pid: int) -> str:
    """Return the letter of a process's state: T is stopped; "" when it is gone (proc(5))."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""
