"""A pusher's side of the git room: a work tree, and paas behind real git's own pipes."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from paas.git.repos import DulwichRepos
from paas.model import App
from paas.settings import Settings

SERVER = Path(__file__).parent / "server.py"
CHECKOUT = Path(__file__).parents[2]
URL = "ssh://paas/shop"
ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "PYTHONPATH": str(CHECKOUT),
    "PYTHONWARNINGS": "error",
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_SSH_VARIANT": "simple",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Anna",
    "GIT_AUTHOR_EMAIL": "anna@example.org",
    "GIT_COMMITTER_NAME": "Anna",
    "GIT_COMMITTER_EMAIL": "anna@example.org",
}


def run_git(
    where: Path, *words: str, stdin: bytes = b"", status: int | None = 0, ssh: str = "false"
) -> str:
    """Run git; return what it printed on both streams."""
    done = subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *words],
        cwd=where,
        env=ENVIRONMENT | {"GIT_SSH_COMMAND": ssh},
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    text = done.stdout.decode(errors="replace")
    assert status is None or done.returncode == status, text
    return text.strip()


@dataclass
class Host:
    """A paas that receives for one app; `plan` says how it behaves from the next command on."""

    root: Path
    plan: dict[str, Any] = field(default_factory=dict)

    @property
    def repository(self) -> Path:
        return self.root / "repos" / "7.git"

    @property
    def ssh(self) -> str:
        """What git is to run instead of ssh."""
        plan = self.plan | {"root": str(self.root), "journal": str(self.root / "journal")}
        file = self.root / f"plan-{len(list(self.root.glob('plan-*')))}.json"
        file.write_text(json.dumps(plan))
        return f"{sys.executable} {SERVER} {file}"

    def journal(self, call: str) -> list[dict[str, Any]]:
        file = self.root / "journal"
        lines = file.read_text().splitlines() if file.exists() else []
        return [entry for entry in map(json.loads, lines) if entry["call"] == call]

    def refs(self) -> dict[str, str]:
        lines = run_git(self.repository, "for-each-ref", "--format=%(refname) %(objectname)")
        return dict(line.split(" ") for line in lines.splitlines())

    def clone(self, where: Path, *words: str) -> Path:
        run_git(where.parent, "clone", "-q", *words, URL, str(where), ssh=self.ssh)
        return where

    def talk(self, data: bytes, service: str = "git-receive-pack") -> tuple[int, bytes]:
        """Send bytes without any git; return the exit status and all that came back."""
        done = subprocess.run(
            [*shlex.split(self.ssh), "paas", f"{service} '/shop'"],
            input=data,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout

    @property
    def app(self) -> App:
        return App(7, "shop", 1, 0.0)

    def repos(self) -> DulwichRepos:
        return DulwichRepos(Settings(root=self.root), git=self.plan["git"])

    def sweep(self) -> None:
        self.repos().sweep()

    def wait_for(self, call: str, times: int = 1) -> None:
        """Wait until the journal has `times` such entries; the test's own timeout is the limit."""
        while len(self.journal(call)) < times:
            time.sleep(0.01)

    def quarantines(self) -> list[Path]:
        return list((self.repository / "quarantine").glob("*"))


@dataclass
class Running:
    """A push that goes on beside the test, in a process group of its own."""

    process: "subprocess.Popen[bytes]"
    output: Path

    def wait_for(self, words: str) -> None:
        """Wait until the client has shown this; the test's own timeout is the limit."""
        while words not in self.output.read_text():
            time.sleep(0.01)

    def finish(self) -> tuple[int, str]:
        return self.process.wait(60), self.output.read_text()

    def kill(self) -> None:
        """Kill git, its pack-objects and its ssh, which here is paas itself."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)


@dataclass
class Work:
    """A developer's repository."""

    path: Path
    host: Host

    def git(self, *words: str, stdin: bytes = b"", status: int | None = 0) -> str:
        return run_git(self.path, *words, stdin=stdin, status=status)

    def commit(
        self, name: str = "app.py", text: str = "print(1)\n", message: str = "change"
    ) -> str:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def push(self, *words: str, status: int | None = 0) -> str:
        return run_git(self.path, "push", URL, *words, status=status, ssh=self.host.ssh)

    def start_push(self, *words: str) -> "Running":
        """Push without waiting for the end."""
        output = self.path.parent / f"push-{time.monotonic_ns()}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                ["git", "push", URL, *words],
                cwd=self.path,
                env=ENVIRONMENT | {"GIT_SSH_COMMAND": self.host.ssh},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Running(process, output)

    def blob(self, content: bytes) -> str:
        return self.git("hash-object", "-w", "--stdin", stdin=content)

    def tree(self, *entries: tuple[str, bytes, str]) -> str:
        """Write a tree as it is given, hostile or not: (mode, name, id) each."""
        raw = b"".join(m.encode() + b" " + n + b"\0" + bytes.fromhex(i) for m, n, i in entries)
        return self.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", stdin=raw)

    def commit_tree(self, tree: str, *parents: str) -> str:
        raw = f"tree {tree}\n" + "".join(f"parent {parent}\n" for parent in parents)
        raw += "author A <a@b> 1700000000 +0000\ncommitter A <a@b> 1700000000 +0000\n\nraw\n"
        words = ("hash-object", "-w", "-t", "commit", "--literally", "--stdin")
        return self.git(*words, stdin=raw.encode())


@pytest.fixture(params=["git", "dulwich"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Host:
    """The host twice: with git's own index-pack, and where git is not installed."""
    root = tmp_path / "host"
    root.mkdir()
    return Host(root, {"git": shutil.which("git") if request.param == "git" else None})


@pytest.fixture
def work(tmp_path: Path, host: Host) -> Work:
    path = tmp_path / "work"
    path.mkdir()
    run_git(path, "init", "-q")
    return Work(path, host)
