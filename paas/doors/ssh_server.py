"""The ssh door: an unprivileged program that proves who has which key, and hands over.

Started by the daemon as the doors' user with two descriptors: the listening socket, and a lifeline
that ends with the daemon. Forks one process per connection, so that one client's crash, memory or
slow handshake is nobody else's. It has no database, no engine, and no secret but its host key.
"""

import contextlib
import functools
import logging
import os
import resource
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko
from paramiko import common
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_REQUEST

from paas.doors.authorized_keys import authorized, fingerprint
from paas.doors.doorkeeper import Doorkeeper, proof
from paas.doors.host_key import NAME as HOST_KEY
from paas.doors.lobby import GREETING, Limits
from paas.doors.ssh_session import Pty, Session

# Allow lists, most wanted first. AES-GCM is the fastest that OpenSSL offers here.
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes128-ctr")
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com")
KEX = (
    "mlkem768x25519-sha256",  # post-quantum: newer OpenSSH warns without one
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "diffie-hellman-group16-sha512",
)
HOST_KEYS = ("ssh-ed25519",)
KEY_TYPES = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
ENVIRON = frozenset({"NO_COLOR", "FORCE_COLOR", "LANG", "GIT_PROTOCOL"})
SESSIONS = 10  # channels per connection, as OpenSSH's MaxSessions
WINDOW = 4 * 1024 * 1024
MEMORY = 768 * 1024 * 1024  # address space: a client that ignores the window ends only itself
PACKET = 256 * 1024  # bytes of one ssh packet, as OpenSSH; RFC 4253, 6.1 wants 35000
OOM_SCORE = 700  # apps have 500: what strangers make us hold must not cost a neighbour
MOST = 9999  # rows or columns
TICK = 1.0  # seconds between looks at the keys and the clock

log = logging.getLogger("paas")


@dataclass(frozen=True)
class Door:
    """What a connection needs to know."""

    daemon: str  # path of the daemon's socket
    authorized_keys: Path
    host_key: paramiko.PKey
    limits: Limits


class Packetizer(paramiko.packet.Packetizer):
    """paramiko's Packetizer, for a client that was greeted in the lobby and proved nothing yet."""

    _greets = True

    def write_all(self, out: Any) -> None:  # noqa: ANN401 - anything with bytes, as paramiko's
        """Write all but the first, which is paramiko's greeting."""
        if self._greets:
            self._greets = False
        else:
            super().write_all(out)

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """Read `n` bytes. Raises SSHException for more than a packet may have."""
        if n > PACKET:
            raise paramiko.SSHException("the packet is too long")
        return super().read_all(n, check_rekey)


class Transport(paramiko.Transport):
    """paramiko's Transport, which tells the server about signals and closed channels too."""

    _active_check_timeout = 1.0  # wakes an idle connection once a second, not ten times
    server: "Server"

    def run(self) -> None:
        """Serve the connection; when it is over, so are its sessions."""
        super().run()
        self.server.hang_up()


def server_of(channel: paramiko.Channel) -> "Server":
    """Return the server of the channel's connection."""
    transport = channel.get_transport()
    assert isinstance(transport, Transport)  # noqa: S101 - for the type checker
    return transport.server


def handle_request(channel: Any, message: paramiko.Message) -> None:  # noqa: ANN401 - see TABLE
    """Handle a channel request; start the command only after the reply to it was sent."""
    start = message.packet.tell()
    kind = message.get_text()
    server = server_of(channel)
    if kind == "signal":
        message.get_boolean()
        server.signal(channel, message.get_text())
    elif kind != "exit-status":  # paramiko would take a client's for ours
        message.packet.seek(start)
        channel._handle_request(message)  # noqa: SLF001 - see TABLE
        server.start_if_asked(channel)


def handle_close(channel: Any, message: paramiko.Message) -> None:  # noqa: ANN401 - see TABLE
    """Handle the close of a channel: its command hears of it."""
    channel._handle_close(message)  # noqa: SLF001 - see TABLE
    server_of(channel).closed(channel)


# paramiko has no public place to see signals and closes, so its own table of handlers it is.
TABLE = {MSG_CHANNEL_REQUEST: handle_request, MSG_CHANNEL_CLOSE: handle_close}
ORIGINAL: Any = paramiko.Transport
Transport._channel_handler_table = ORIGINAL._channel_handler_table | TABLE  # type: ignore[attr-defined]  # noqa: SLF001 - see above


def _size(rows: int, columns: int) -> tuple[int, int]:
    """Return a size that the daemon accepts; clients without a window send zeros."""
    return min(rows, MOST) or 24, min(columns, MOST) or 80


class Server(paramiko.ServerInterface):
    """What one connection may do: prove a key, then open sessions that run one command each."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._offered = ""  # fingerprint of the key seen last; says nothing before authentication
        self._sessions: dict[int, Session] = {}
        self._asked: set[int] = set()
        self._open: set[int] = set()
        self.idle_since = time.monotonic()

    def fingerprint(self, transport: paramiko.Transport) -> str:
        """Return whose connection this is; "" before authentication.

        A client may ask about any key without a signature (RFC 4252, 7), which calls
        check_auth_publickey too. So the last key counts, and only once paramiko has verified a
        signature: the verified request was the last one that it looked at.
        """
        return self._offered if transport.is_authenticated() else ""

    def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002 - paramiko's signature
        """Keys only."""
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:  # noqa: ARG002 - as above
        """Say whether this key is known; paramiko checks the signature after it."""
        self._offered = fingerprint(key.asbytes())
        known = self._offered in authorized(self._door.authorized_keys)
        return common.AUTH_SUCCESSFUL if known else common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        """Open sessions, nothing else: no forwarding of any kind."""
        if kind != "session" or len(self._open) >= SESSIONS:
            return common.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        self._open.add(chanid)
        return common.OPEN_SUCCEEDED

    def check_channel_pty_request(
        self, channel: paramiko.Channel, term: bytes, width: int, height: int, *_: object
    ) -> bool:
        """Remember the terminal that the command shall have."""
        session = self._session(channel)
        name = bytes(term)[:64].decode("ascii", "replace")
        session.pty = Pty(name, *_size(height, width))
        return True

    def check_channel_env_request(
        self, channel: paramiko.Channel, name: bytes, value: bytes
    ) -> bool:
        """Keep the few variables that commands look at."""
        text = bytes(name).decode("ascii", "replace")
        if text in ENVIRON:
            self._session(channel).environ[text] = bytes(value)[:256].decode("utf-8", "replace")
        return text in ENVIRON

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        """Run a command; the only thing that this door is for."""
        self._session(channel).command = bytes(command)
        return self._ask(channel)

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        """Accept, to say in words that there is none."""
        self._session(channel)
        return self._ask(channel)

    def check_channel_window_change_request(
        self, channel: paramiko.Channel, width: int, height: int, *_: object
    ) -> bool:
        """Pass the new size on."""
        self._session(channel).resize(*_size(height, width))
        return True

    def start_if_asked(self, channel: paramiko.Channel) -> None:
        """Start the session whose command was just accepted."""
        if channel.chanid in self._asked:
            self._asked.discard(channel.chanid)
            self._sessions[channel.chanid].start()

    def signal(self, channel: paramiko.Channel, name: str) -> None:
        """Pass a client's signal on."""
        self._session(channel).signal(name)

    def closed(self, channel: paramiko.Channel) -> None:
        """Forget a session whose channel is closed."""
        self._open.discard(channel.chanid)
        if session := self._sessions.pop(channel.chanid, None):
            session.hang_up()
        self.idle_since = time.monotonic()

    def hang_up(self) -> None:
        """End all sessions: the connection is gone."""
        for session in list(self._sessions.values()):
            session.hang_up()

    @property
    def is_idle(self) -> bool:
        """Whether no session is open."""
        return not self._open

    def _session(self, channel: paramiko.Channel) -> Session:
        if channel.chanid not in self._sessions:
            identity = self.fingerprint(channel.get_transport())
            self._sessions[channel.chanid] = Session(channel, self._door.daemon, identity)
        return self._sessions[channel.chanid]

    def _ask(self, channel: paramiko.Channel) -> bool:
        """Accept one command per channel (RFC 4254, 6.5)."""
        session = self._sessions[channel.chanid]
        if session.asked:
            return False
        session.asked = True
        self._asked.add(channel.chanid)
        return True


def serve_connection(door: Door, client: socket.socket, authenticated: int) -> None:
    """Serve one connection to its end, in a process of its own.

    Our pid and whose key it is are written to the pipe `authenticated` once a key is proved.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    Path("/proc/self/oom_score_adj").write_text(str(OOM_SCORE))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 180_000)
    transport = Transport(client, default_window_size=WINDOW)
    transport.packetizer = Packetizer(client)
    transport.local_version = GREETING
    options = transport.get_security_options()
    options.ciphers, options.digests = CIPHERS, MACS
    known = ORIGINAL._kex_info  # noqa: SLF001 - mlkem needs a new OpenSSL; nothing public says so
    options.kex = tuple(name for name in KEX if name in known)
    options.key_types = HOST_KEYS
    transport._preferred_pubkeys = KEY_TYPES  # type: ignore[attr-defined]  # noqa: SLF001 - SecurityOptions has no name for it
    transport.add_server_key(door.host_key)
    transport.server = server = Server(door)
    transport.start_server(threading.Event(), server)
    watch(transport, server, door, authenticated)


def watch(transport: Transport, server: Server, door: Door, authenticated: int) -> None:
    """Return when the connection is over: closed, not authenticated in time, idle, key removed."""
    started = time.monotonic()
    told = False
    channels: list[paramiko.Channel] = []  # paramiko closes a channel that nobody refers to
    while transport.is_active():
        channels = [channel for channel in channels if not channel.closed]
        if opened := transport.accept(TICK):
            channels.append(opened)
        now = time.monotonic()
        identity = server.fingerprint(transport)
        if not identity and now - started > door.limits.unauthenticated:
            return
        if identity and not told:
            with contextlib.suppress(OSError):  # the first process was replaced; we go on
                os.write(authenticated, proof(os.getpid(), identity))
            told = True
        if identity and identity not in authorized(door.authorized_keys):
            log.info("the key %s was removed: its connection ends", identity)
            return
        if server.is_idle and now - server.idle_since > door.limits.idle:
            return


def main(argv: list[str], limits: Limits | None = None) -> None:
    """Run the door: daemon's socket, door directory, listening descriptor, lifeline descriptor."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s"
    )
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)  # scanners would fill the log
    daemon, directory, listener, lifeline = argv
    host_key = paramiko.Ed25519Key.from_private_key_file(str(Path(directory) / HOST_KEY))
    door = Door(daemon, Path(directory) / "authorized_keys", host_key, limits or Limits())
    with socket.socket(fileno=int(listener)) as listening:
        serve = functools.partial(serve_connection, door)
        Doorkeeper(door.limits, serve).serve(listening, int(lifeline))
