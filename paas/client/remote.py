"""Where commands go: a host, and an app on it, read from a git remote or from what was typed.

A remote's URL is not to be trusted: it comes with a repository. Only names of a strict form pass,
so that none can be taken for an option or a command by ssh (CVE-2017-1000117 was such a URL).
"""

import re
import subprocess
from typing import NamedTuple

from paas.errors import NotFound, UsageError

USER = "paas"
PORT = 2222  # of the embedded door
HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9a-fA-F:.]{2,45}\])"
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}"
APP = r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?"
URL = re.compile(
    rf"ssh://(?:({NAME})@)?({HOST})(?::([0-9]{{1,5}}))?/+({APP})(?:\.git)?/?", re.ASCII
)
SCP = re.compile(rf"(?:({NAME})@)?({HOST})():/*({APP})(?:\.git)?/?", re.ASCII)
TYPED = re.compile(rf"(?:ssh://)?(?:({NAME})@)?({HOST})(?::([0-9]{{1,5}}))?/?", re.ASCII)
TIMEOUT = 10.0  # seconds for git


class Host(NamedTuple):
    """An ssh door. Port None leaves it to ssh's own configuration."""

    user: str
    name: str
    port: int | None

    def url(self, app: str = "") -> str:
        """Return the URL of the host, or of a git remote for an app on it."""
        port = f":{self.port}" if self.port else ""
        return f"ssh://{self.user}@{self.name}{port}/{app}"


class Remote(NamedTuple):
    """An app on a host."""

    host: Host
    app: str


def parse_host(text: str) -> Host:
    """Return the host of `[USER@]HOST[:PORT]`. Raises UsageError."""
    match = TYPED.fullmatch(text)
    if not match:
        raise UsageError(f"{text!a} is not a host", hint="Give it as [USER@]HOST[:PORT].")
    return Host(match[1] or USER, match[2], _port(match[3]) or PORT)


def parse_remote(url: str) -> Remote:
    """Return what the URL of a git remote points to. Raises UsageError for any other URL."""
    match = URL.fullmatch(url) or SCP.fullmatch(url)
    if not match:
        raise UsageError(
            f"The git remote points to {url!a}, which is no app of paas",
            hint="It should look like ssh://paas@HOST:2222/APP; see: git remote -v",
        )
    return Remote(Host(match[1] or USER, match[2], _port(match[3])), match[4])


def find_remote(name: str) -> Remote | None:
    """Return what this repository's remote points to; None outside, or if there is no such remote.

    Raises UsageError for a remote that is no app of paas.
    """
    if not re.fullmatch(NAME, name, re.ASCII):
        raise UsageError(f"{name!a} is not the name of a git remote")
    found = git("remote", "get-url", name)
    return parse_remote(found.stdout.removesuffix("\n")) if found.returncode == 0 else None


def is_repository() -> bool:
    """Whether the working directory is in a git repository."""
    return git("rev-parse", "--git-dir").returncode == 0


def git(*args: str) -> "subprocess.CompletedProcess[str]":
    """Run git here. Raises NotFound where there is no git."""
    try:
        return subprocess.run(
            ["git", *args], capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except FileNotFoundError as error:
        raise NotFound("git is not installed here", hint="Type the host: paas --host") from error


def _port(digits: str | None) -> int | None:
    if not digits:
        return None
    if not 0 < int(digits) < 65536:  # noqa: PLR2004 - RFC 793
        raise UsageError(f"{digits} is not a port")
    return int(digits)
