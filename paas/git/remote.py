"""A repository on another host, opened by https or ssh; nowhere inside unless it is trusted.

Both kinds of connection go to the address that was looked at, never to a name that could be looked
up again. http, git:// and files are not opened at all.
"""

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any
from urllib.parse import urlsplit

import urllib3
from dulwich.client import GitClient, HttpGitClient, SSHGitClient, SSHVendor, SubprocessWrapper
from dulwich.errors import NotGitRepository
from dulwich.protocol import Protocol
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from paas.errors import InvalidName, Unavailable
from paas.git.base import Remote
from paas.git.index import PATH
from paas.outside import HINT, connect, find_address
from paas.settings import Settings

SECONDS = 60.0  # without a byte
REDIRECTS = 3
SSH_PORT = 22


@contextmanager
def open_remote(remote: Remote, settings: Settings) -> Iterator[tuple[GitClient, str]]:
    """Give a client and the path on it.

    Raises InvalidName for an URL of another kind, Unavailable for an address that is inside.
    """
    parts = urlsplit(remote.url)
    with ExitStack() as stack:
        if parts.scheme == "https":
            yield _open_https(remote, settings, stack)
        elif parts.scheme == "ssh" and parts.hostname:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="paas-ssh-")))
            vendor = _Ssh(remote, folder)
            user = parts.username or "git"
            path = parts.path.removeprefix("/") if parts.path.startswith("/~") else parts.path
            client = _SshClient(parts.hostname, parts.port, user, vendor=vendor)
            stack.callback(client.end)
            stack.callback(vendor.kill)
            yield client, path
        else:
            raise InvalidName(
                f"{remote.url!r} is not a repository's URL",
                hint="Give https://HOST/PATH or ssh://USER@HOST/PATH (or USER@HOST:PATH).",
            )


def _open_https(remote: Remote, settings: Settings, stack: ExitStack) -> tuple[GitClient, str]:
    bundle = settings.ca_bundle
    context = ssl.create_default_context(cafile=str(bundle) if bundle.is_file() else None)
    pool = urllib3.PoolManager(
        ssl_context=context,
        timeout=SECONDS,
        retries=urllib3.Retry(0, redirect=REDIRECTS),
        headers={"User-Agent": "git/paas"},  # some hosts answer other agents with a page
    )
    pool.pool_classes_by_scheme = {"https": _pool_class(settings, is_trusted=remote.is_trusted)}
    stack.callback(pool.clear)
    user, password = remote.login or (None, None)
    base, _, path = remote.url.partition("://")
    host, _, path = path.partition("/")
    client = _Smart(
        f"{base}://{host.rpartition('@')[2]}/",
        pool_manager=pool,
        username=user,
        password=password,
    )
    return client, path


class _Smart(HttpGitClient):
    """A client that speaks to git servers only: what others send would be taken file by file."""

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,
    ) -> tuple[Any, Callable[[int], bytes]]:
        response, read = super()._http_request(url, headers, data, raise_for_status)
        if not str(response.headers.get("Content-Type")).startswith("application/x-git-"):
            raise NotGitRepository(url)
        return response, read


def _pool_class(settings: Settings, *, is_trusted: bool) -> type[HTTPSConnectionPool]:
    """Return pools whose connections look at the address first; redirects make new ones."""

    class Guarded(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            port = self.port or 443
            try:
                return connect(self._dns_host, port, SECONDS, settings, private=is_trusted)
            except OSError as error:
                raise NewConnectionError(self, f"{self.host} does not answer: {error}") from error

    class Pool(HTTPSConnectionPool):
        ConnectionCls = Guarded

    return Pool


class _SshClient(SSHGitClient):
    """A client that can end its connections: dulwich leaves one open that hangs up at once."""

    _opened: tuple[Protocol, ...] = ()

    def _connect(
        self, cmd: bytes, path: str | bytes, protocol_version: int | None = None
    ) -> tuple[Protocol, Callable[[], bool], IO[bytes] | None]:
        made = super()._connect(cmd, path, protocol_version)
        self._opened += made[:1]
        return made

    def end(self) -> None:
        """Close all connections, and wait for their processes."""
        for protocol in self._opened:
            protocol.close()


class _Ssh(SSHVendor):
    """dulwich's vendor of connections: OpenSSH with the app's key and the host's known key only."""

    def __init__(self, remote: Remote, folder: Path) -> None:
        self._remote = remote
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def kill(self) -> None:
        """End what still runs after a failure."""
        for process in self._processes:
            process.kill()

    def run_command(  # noqa: PLR0913, PLR0917 - the signature is dulwich's
        self,
        host: str,
        command: bytes,
        username: str | None = None,
        port: int | None = None,
        password: str | None = None,  # noqa: ARG002 - dulwich's signature, as the next two
        key_filename: str | None = None,  # noqa: ARG002
        ssh_command: str | None = None,  # noqa: ARG002
        protocol_version: int | None = None,
    ) -> SubprocessWrapper:
        """Start ssh. Raises Unavailable where it is missing, or the address is inside."""
        ssh = shutil.which("ssh", path=PATH)
        if ssh is None:
            raise Unavailable("There is no ssh on this host", hint="apt install openssh-client")
        port = port or SSH_PORT
        address = find_address(host, port, private=self._remote.is_trusted, hint=HINT)
        version = f"GIT_PROTOCOL=version={protocol_version or 0}"
        options = {
            "BatchMode": "yes",
            "CheckHostIP": "no",
            "ConnectTimeout": str(int(SECONDS)),
            "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlias": host,
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "ServerAliveInterval": "15",
            "SetEnv": version,
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self._write("known_hosts", self._remote.known_hosts)),
        }
        words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        if self._remote.key:
            words += ["-i", str(self._write("key", self._remote.key))]
        process = subprocess.Popen(
            [
                *(ssh, "-F", "/dev/null", "-x", "-T", "-p", str(port), "-l", username or "git"),
                *(*words, "--", address, os.fsdecode(command)),
            ],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": PATH},
        )
        self._processes.append(process)
        return SubprocessWrapper(process)

    def _write(self, name: str, text: str) -> Path:
        file = self._folder / name
        file.touch(mode=0o600)
        file.write_text(text)
        return file
