"""The programs a user has: git, ssh and a key."""

import os
import shutil
import subprocess
from pathlib import Path

QUIET = ("-o", "LogLevel=ERROR", "-o", "StrictHostKeyChecking=accept-new", "-o", "BatchMode=yes")


class Ssh:
    """A user's ssh client with a key of its own, against the instance's embedded door."""

    def __init__(self, home: Path, port: int) -> None:
        home.mkdir(parents=True, mode=0o700)
        self.key = home / "id_ed25519"
        self.port = port
        self._options = (
            "-F", "none", "-i", str(self.key), "-o", "IdentitiesOnly=yes",
            "-o", f"UserKnownHostsFile={home / 'known_hosts'}", *QUIET,
        )  # fmt: skip
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "laptop", "-f", str(self.key)]
        subprocess.run(make, check=True, timeout=20)

    @property
    def public_key(self) -> str:
        """The line to give to the host's admin."""
        return self.key.with_suffix(".pub").read_text()

    @property
    def command(self) -> list[str]:
        """The command line up to the user@host."""
        return ["ssh", *self._options, "-p", str(self.port), "paas@127.0.0.1"]

    @property
    def for_git(self) -> str:
        """The value of GIT_SSH_COMMAND; none of our paths has a space."""
        return " ".join(["ssh", *self._options])

    def run(
        self, *argv: str, text_in: str = "", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """Type a command on the door."""
        return subprocess.run(
            [*self.command, *argv],
            input=text_in,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


class Git:
    """A user's work tree with the remote `paas`."""

    def __init__(self, tree: Path, ssh: Ssh, app: str) -> None:
        tree.mkdir(parents=True)
        self.tree = tree
        self.ssh = ssh
        self.app = app
        self.url = f"ssh://paas@127.0.0.1:{ssh.port}/{app}"
        self.git("init", "-q", "-b", "master")
        self.git("remote", "add", "paas", self.url)

    def fill(self, folder: Path) -> None:
        """Copy an example in and commit it."""
        shutil.copytree(folder, self.tree, dirs_exist_ok=True)
        self.commit("first version")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the work tree."""
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def commit(self, message: str = "change") -> str:
        """Commit everything; return the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").stdout.strip()

    def push(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """`git push paas master` (or what is given); what the user reads is in `stderr`."""
        done = self.git("push", "paas", *(args or ("master",)), check=False)
        if check and done.returncode:
            raise AssertionError(done.stderr)
        return done

    def git(self, *args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run git in the work tree, with no configuration but ours."""
        done = subprocess.run(
            ["git", *args],
            cwd=self.tree,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if check and done.returncode:
            message = f"git {' '.join(args)}: {done.stderr}"
            raise AssertionError(message)
        return done

    @property
    def environ(self) -> dict[str, str]:
        """The environment of git: the user's key, a name, no configuration of the machine."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.tree),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_SYSTEM": "/dev/null",
            "GIT_SSH_COMMAND": self.ssh.for_git,
            "GIT_AUTHOR_NAME": "Anna",
            "GIT_AUTHOR_EMAIL": "anna@example.org",
            "GIT_COMMITTER_NAME": "Anna",
            "GIT_COMMITTER_EMAIL": "anna@example.org",
        }
