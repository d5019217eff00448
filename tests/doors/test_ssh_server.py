"""The ssh door under a real ssh client, and under clients that mean no good."""

import contextlib
import json
import os
import pty
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import paramiko
import pytest
from paramiko.common import cMSG_USERAUTH_REQUEST

from paas.doors.ssh_session import set_size
from tests.doors.running import DOOR_USER, Running, children_of, wait_for

# -- who is it


def test_a_key_that_is_not_listed_is_refused(shared: Running) -> None:
    done = shared.ssh("test:echo", key="eve")
    assert done.returncode == 255
    assert b"Permission denied (publickey)" in done.stderr


def test_a_listed_key_that_the_database_does_not_know_may_do_nothing(own: Running) -> None:
    own.authorize("ann", "eve")
    own.start()
    done = own.ssh("test:echo", key="eve")
    assert done.returncode == 1
    assert done.stderr.startswith(b" !     This key may not do anything here\n")


@contextmanager
def client(running: Running) -> Iterator[paramiko.Transport]:
    transport = paramiko.Transport(("127.0.0.1", running.port))
    try:
        transport.start_client(timeout=15)
        yield transport
    finally:
        transport.close()


def load(running: Running, name: str) -> paramiko.PKey:
    return paramiko.Ed25519Key.from_private_key_file(str(running.root / name))


def probe(transport: paramiko.Transport, key: paramiko.PKey) -> None:
    """Ask whether `key` would do, as RFC 4252 section 7 allows, without a signature."""
    message = paramiko.Message()
    message.add_byte(cMSG_USERAUTH_REQUEST)
    for text in ("paas", "ssh-connection", "publickey"):
        message.add_string(text)
    message.add_boolean(False)
    message.add_string(key.get_name())
    message.add_string(key.asbytes())
    transport._send_message(message)  # type: ignore[attr-defined]


def run(transport: paramiko.Transport, command: str) -> bytes:
    channel = transport.open_session(timeout=15)
    channel.exec_command(command)
    return channel.makefile("rb").read()


class Probing(paramiko.auth_handler.AuthHandler):
    """A client's side of authentication that asks about another's key before it signs its own."""

    others: paramiko.PKey
    signs = True

    def _parse_service_accept(self, message: paramiko.Message) -> None:
        probe(self.transport, self.others)
        if self.signs:
            super()._parse_service_accept(message)  # type: ignore[misc]

    def _parse_userauth_info_request(self, message: paramiko.Message) -> None:
        """Take the answer to the probe, which has the same number (USERAUTH_PK_OK)."""


def log_in_probing(
    transport: paramiko.Transport, own: paramiko.PKey, other: paramiko.PKey
) -> Probing:
    handler = Probing(transport)
    handler.others = other
    transport.auth_handler = handler
    event = threading.Event()
    handler.auth_publickey("paas", own, event)
    event.wait(15 if handler.signs else 0.5)
    return handler


def test_a_probe_for_anothers_key_does_not_lend_its_identity(own: Running) -> None:
    own.authorize("ann", "eve")
    own.start()
    with client(own) as transport:
        log_in_probing(transport, load(own, "eve"), load(own, "ann"))
        assert transport.is_authenticated()
        probe(transport, load(own, "ann"))  # and once more, now that Eve is in
        assert run(transport, "test:echo") == b"", "Eve's key may do nothing"
    with client(own) as transport:
        log_in_probing(transport, load(own, "ann"), load(own, "eve"))
        assert run(transport, "test:echo") == b"ann []\n"


def test_a_probe_alone_authenticates_nobody(shared: Running) -> None:
    with client(shared) as transport, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Probing, "signs", False)
        log_in_probing(transport, load(shared, "ann"), load(shared, "ann"))
        patch.undo()
        assert not transport.is_authenticated()
        with pytest.raises(paramiko.SSHException):
            transport.open_session(timeout=2)


def test_a_removed_key_ends_its_open_sessions(own: Running) -> None:
    own.start()
    waiting = subprocess.Popen(
        own.ssh_argv(f"test:wait {own.root}/note"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert waiting.stdout
    assert waiting.stdout.readline().startswith(b"pid")
    own.authorize("eve")
    assert waiting.wait(15) == 255
    wait_for((own.root / "note").exists)
    assert (own.root / "note").read_text() == "interrupted SIGHUP"
    waiting.communicate()


# -- what it speaks


def refused_by_negotiation(running: Running, *options: str) -> str:
    options = ("LogLevel=VERBOSE", *options)
    flags = tuple(word for option in options for word in ("-o", option))
    return running.ssh("test:echo", flags=flags).stderr.decode()


@pytest.mark.parametrize(
    "option",
    [
        "Ciphers=aes128-cbc",
        "Ciphers=3des-cbc",
        "KexAlgorithms=diffie-hellman-group14-sha1",
        "KexAlgorithms=diffie-hellman-group14-sha256",
        "KexAlgorithms=diffie-hellman-group-exchange-sha256",
        "HostKeyAlgorithms=ssh-rsa",
    ],
)
def test_weak_algorithms_find_no_match(shared: Running, option: str) -> None:
    assert "no matching" in refused_by_negotiation(shared, option)


@pytest.mark.parametrize("mac", ["hmac-sha1", "hmac-md5", "hmac-sha1-96", "hmac-sha2-256"])
def test_weak_macs_find_no_match(shared: Running, mac: str) -> None:
    said = refused_by_negotiation(shared, "Ciphers=aes128-ctr", f"MACs={mac}")
    assert "no matching MAC" in said


def test_an_rsa_key_signs_with_sha2_and_never_with_sha1(own: Running) -> None:
    own.make_key("rob", "rsa")
    own.authorize("ann", "rob")
    own.start()
    good = own.ssh("test:echo", key="rob")
    assert b"may not do anything" in good.stderr, "let in by the door; unknown to the database"
    bad = own.ssh("test:echo", key="rob", flags=("-o", "PubkeyAcceptedAlgorithms=ssh-rsa"))
    assert b"Permission denied" in bad.stderr


def test_the_host_key_is_kept_across_restarts_and_readable_by_the_door_only(own: Running) -> None:
    own.start()
    key = own.root / "door" / "ssh_host_ed25519_key"
    first = key.read_bytes()
    assert own.ssh("test:exit", "0").returncode == 0
    own.stop()
    own.start()
    assert key.read_bytes() == first
    assert key.stat().st_mode & 0o777 == 0o640
    assert own.ssh("test:exit", "0", flags=("-o", "StrictHostKeyChecking=yes")).returncode == 0


# -- what it refuses


def test_there_is_no_shell(shared: Running) -> None:
    done = shared.ssh(data=b"id\n")
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr == b" !     There is no shell here. Try the command: help\n"


def test_there_is_no_subsystem(shared: Running) -> None:
    done = shared.ssh("sftp", flags=("-s",))
    assert done.returncode == 255
    assert b"subsystem request failed" in done.stderr


def test_nothing_is_forwarded(shared: Running) -> None:
    done = shared.ssh(flags=("-W", "127.0.0.1:22"))
    assert done.returncode == 255
    assert b"stdio forwarding failed" in done.stderr
    remote = shared.ssh(
        "test:exit", "0", flags=("-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22")
    )
    assert b"remote port forwarding failed" in remote.stderr


def test_a_password_is_never_asked_for(shared: Running) -> None:
    with client(shared) as transport, pytest.raises(paramiko.BadAuthenticationType) as refused:
        transport.auth_password("paas", "paas")
    assert refused.value.allowed_types == ["publickey"]


@pytest.mark.parametrize(
    "command",
    [
        "\x1b[2J",
        "test:echo \\",
        "../../bin/sh",
        "test:echo \x7f",
        "-h; id",
        "--",
        "--app",
        "é" * 4000,
    ],
)
def test_a_hostile_command_gets_an_answer_and_harms_nobody(shared: Running, command: str) -> None:
    done = shared.ssh(command)
    assert 0 <= done.returncode < 255
    assert b"Traceback" not in done.stderr
    assert b"\x1b" not in done.stderr
    assert shared.ssh("test:exit", "7").returncode == 7


def test_a_command_that_is_not_utf8_or_holds_a_nul_is_refused(shared: Running) -> None:
    with client(shared) as transport:
        transport.auth_publickey("paas", load(shared, "ann"))
        for command, status in ((b"test:echo \xff", 2), (b"test:echo a\0b", 1)):
            channel = transport.open_session(timeout=15)
            channel.exec_command(command)
            assert channel.recv_exit_status() == status


def test_a_channel_runs_one_command(shared: Running) -> None:
    with client(shared) as transport:
        transport.auth_publickey("paas", load(shared, "ann"))
        channel = transport.open_session(timeout=15)
        channel.exec_command("test:exit 3")
        with pytest.raises((paramiko.SSHException, OSError)):
            channel.exec_command("test:exit 4")


def test_garbage_instead_of_ssh_harms_nobody(shared: Running) -> None:
    for garbage in (b"GET / HTTP/1.0\r\n\r\n", b"\0" * 4096, b"SSH-2.0-x\r\n" + os.urandom(4096)):
        with (
            socket.create_connection(("127.0.0.1", shared.port), timeout=15) as stranger,
            contextlib.suppress(ConnectionError),  # it may well be cut in the middle
        ):
            stranger.sendall(garbage)
            stranger.shutdown(socket.SHUT_WR)
            assert ends(stranger)
    assert shared.ssh("test:exit", "7").returncode == 7


# -- terminals


@dataclass
class Terminal:
    """A client on a terminal of its own; `master` is the other end of that."""

    pid: int
    master: int
    status: int | None = None

    def wait(self) -> int:
        """Return the client's exit status when it has ended."""
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status


@contextmanager
def on_a_terminal(running: Running, command: str, rows: int, columns: int) -> Iterator[Terminal]:
    """Run ssh -tt on a real terminal of this size."""
    pid, master = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        set_size(0, rows, columns)
        argv = running.ssh_argv(command, flags=("-tt",))
        os.execvp(argv[0], argv)
    terminal = Terminal(pid, master)
    try:
        yield terminal
    finally:
        os.close(master)
        terminal.wait()


def read_until(terminal: Terminal, expected: bytes) -> bytes:
    seen = b""
    while expected not in seen:
        ready, _, _ = select.select([terminal.master], [], [], 15)
        assert ready, f"only {seen!r} came"
        seen += os.read(terminal.master, 4096)
    return seen


def test_a_command_on_a_terminal_knows_its_size_and_kind(shared: Running) -> None:
    with on_a_terminal(shared, "test:terminal", 33, 111) as terminal:
        assert b"tty=True (111, 33) xterm-256color" in read_until(terminal, b"color\r\n")


def test_a_new_window_size_reaches_the_command(shared: Running) -> None:
    with on_a_terminal(shared, "test:resize", 30, 90) as terminal:
        read_until(terminal, b"ready")
        set_size(terminal.master, 44, 132)
        assert b"(44, 132) (44, 132)" in read_until(terminal, b")\r\n")


def test_ctrl_c_on_a_terminal_interrupts_the_command(shared: Running, tmp_path: Path) -> None:
    with on_a_terminal(shared, f"test:wait {tmp_path}/note", 24, 80) as terminal:
        read_until(terminal, b"pid")
        os.write(terminal.master, b"\x03")
        wait_for((tmp_path / "note").exists)
    assert (tmp_path / "note").read_text() == "interrupted SIGINT"


def test_without_a_terminal_there_is_none(shared: Running) -> None:
    assert shared.ssh("test:terminal").stdout == b"tty=False None None\n"


def test_a_signal_request_interrupts_the_command(shared: Running, tmp_path: Path) -> None:
    with client(shared) as transport:
        transport.auth_publickey("paas", load(shared, "ann"))
        channel = transport.open_session(timeout=15)
        channel.exec_command(f"test:wait {tmp_path}/note")
        channel.recv(100)
        message = paramiko.Message()  # RFC 4254, 6.9
        message.add_byte(paramiko.common.cMSG_CHANNEL_REQUEST)
        message.add_int(channel.remote_chanid)
        message.add_string("signal")
        message.add_boolean(False)
        message.add_string("QUIT")
        transport._send_user_message(message)  # type: ignore[attr-defined]
        assert channel.recv_exit_status() == 128 + 3
    assert (tmp_path / "note").read_text() == "interrupted SIGQUIT"


# -- clients that go


def test_a_closed_terminal_lets_the_command_clean_up(shared: Running, tmp_path: Path) -> None:
    with on_a_terminal(shared, f"test:clean {tmp_path}/note", 24, 80) as terminal:
        read_until(terminal, b"pid")
    wait_for((tmp_path / "note").exists)
    assert (tmp_path / "note").read_text() == "SIGHUP, and all is clean"


@pytest.mark.parametrize(
    ("flag", "ending"),
    [("", "interrupted SIGHUP"), ("--outlive", "finished, hung up: True")],
)
def test_a_client_that_is_killed_interrupts_unless_the_command_outlives_it(
    shared: Running, tmp_path: Path, flag: str, ending: str
) -> None:
    going = subprocess.Popen(
        shared.ssh_argv(f"test:wait {tmp_path}/note {flag}"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert going.stdout
    assert going.stdout.readline().startswith(b"pid")
    going.kill()
    going.communicate()
    wait_for((tmp_path / "note").exists)
    assert (tmp_path / "note").read_text() == ending


def test_a_closed_channel_hangs_up_its_command_and_leaves_its_neighbour(
    shared: Running, tmp_path: Path
) -> None:
    with client(shared) as transport:
        transport.auth_publickey("paas", load(shared, "ann"))
        channels = {}
        for name in ("one", "two"):
            channels[name] = transport.open_session(timeout=15)
            channels[name].exec_command(f"test:wait {tmp_path}/{name}")
            channels[name].recv(100)
        channels["one"].close()
        wait_for((tmp_path / "one").exists)
        assert not (tmp_path / "two").exists()


# -- limits


PROGRAM = """
import json, sys
from paas.doors.lobby import Limits
from paas.doors.ssh_server import main
main(sys.argv[1:5], Limits(**json.loads(sys.argv[5])))
"""


@dataclass
class LimitedDoor:
    """The ssh door alone, with limits of its own; its daemon is the shared one."""

    process: subprocess.Popen[bytes]
    port: int
    lifeline: BinaryIO

    def knock(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=15)


@contextmanager
def limited(running: Running, **limits: float) -> Iterator[LimitedDoor]:
    reader, writer = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        paths = [str(running.socket), str(running.root / "door")]
        ends = (listener.fileno(), reader)
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *paths, *map(str, ends), json.dumps(limits)],
            pass_fds=ends,
            user=DOOR_USER,  # the daemon believes a fingerprint of the doors' user only
            group="nogroup",
            extra_groups=[],
            cwd=Path(__file__).parent.parent.parent,
        )
        os.close(reader)
        door = LimitedDoor(process, listener.getsockname()[1], os.fdopen(writer, "wb"))
    try:
        yield door
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(15)
        door.lifeline.close()


def greets(stranger: socket.socket) -> bool:
    """Return whether the door speaks ssh to this connection; False when it just closes."""
    return stranger.recv(100).startswith(b"SSH-2.0-paas")


def ends(stranger: socket.socket) -> bool:
    while stranger.recv(4096):
        pass
    return True


def test_a_connection_without_a_key_ends_after_its_time(shared: Running) -> None:
    with limited(shared, unauthenticated=1.0) as door, door.knock() as stranger:
        assert greets(stranger)
        stranger.sendall(b"SSH-2.0-x\r\n")
        assert ends(stranger)


def test_asking_about_a_key_without_signing_buys_no_time(shared: Running) -> None:
    with limited(shared, unauthenticated=5.0) as door, pytest.MonkeyPatch.context() as patch:
        patch.setattr(Probing, "signs", False)
        with contextlib.closing(paramiko.Transport(("127.0.0.1", door.port))) as transport:
            transport.start_client(timeout=15)
            log_in_probing(transport, load(shared, "ann"), load(shared, "ann"))
            wait_for(lambda: not transport.is_active())


def test_an_idle_connection_ends_after_its_time(shared: Running) -> None:
    with limited(shared, idle=5.0) as door:
        transport = paramiko.Transport(("127.0.0.1", door.port))
        transport.connect(username="paas", pkey=load(shared, "ann"))
        assert run(transport, "test:echo") == b"ann []\n"
        wait_for(lambda: not transport.is_active())


def test_one_address_holds_so_many_connections_without_a_key_the_next_takes_a_place(
    shared: Running,
) -> None:
    with limited(shared, strangers=2) as door, door.knock() as one, door.knock() as two:
        assert greets(one)
        assert greets(two)
        with door.knock() as three:
            assert greets(three)
            one.setblocking(False)
            two.setblocking(False)
            wait_for(lambda: has_ended(one) != has_ended(two))


def has_ended(stranger: socket.socket) -> bool:
    """Return whether the door ended a connection; nothing is taken from it."""
    try:
        return not stranger.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False


def test_strangers_that_spoke_share_so_many_processes(shared: Running) -> None:
    with limited(shared, processes=2, turn=0.01) as door, contextlib.ExitStack() as stack:
        for _ in range(4):
            stranger = stack.enter_context(door.knock())
            assert greets(stranger)
            stranger.sendall(b"SSH-2.0-x\r\n")
        wait_for(lambda: len(children_of(door.process.pid)) == 2)
        assert door.process.poll() is None


def test_who_says_nothing_has_no_process_and_ends_after_its_time(shared: Running) -> None:
    with limited(shared, unauthenticated=1.0) as door, door.knock() as stranger:
        assert greets(stranger)
        assert children_of(door.process.pid) == []
        assert ends(stranger)


def test_strangers_that_hold_all_places_keep_nobody_out_who_has_a_key(shared: Running) -> None:
    with limited(shared, connections=2) as door, door.knock() as one, door.knock() as two:
        assert greets(one)
        assert greets(two)
        transport = paramiko.Transport(("127.0.0.1", door.port))
        transport.connect(username="paas", pkey=load(shared, "ann"))
        assert run(transport, "test:echo") == b"ann []\n"
        transport.close()


def test_a_connection_with_a_key_is_no_stranger_any_more(shared: Running) -> None:
    with limited(shared, strangers=1) as door:
        transport = paramiko.Transport(("127.0.0.1", door.port))
        transport.connect(username="paas", pkey=load(shared, "ann"))
        wait_for(lambda: door_greets_another(door))
        transport.close()


def door_greets_another(door: LimitedDoor) -> bool:
    with door.knock() as another:
        return greets(another)


def test_all_together_may_hold_so_many_connections(shared: Running) -> None:
    with limited(shared, connections=1) as door:
        transport = paramiko.Transport(("127.0.0.1", door.port))
        transport.connect(username="paas", pkey=load(shared, "ann"))
        assert run(transport, "test:echo") == b"ann []\n"
        with door.knock() as another:
            assert not greets(another)
        transport.close()
        wait_for(lambda: door_greets_another(door))


def test_the_door_ends_with_the_daemon_and_leaves_its_connections_alone(shared: Running) -> None:
    with limited(shared) as door:
        transport = paramiko.Transport(("127.0.0.1", door.port))
        transport.connect(username="paas", pkey=load(shared, "ann"))
        door.lifeline.close()
        assert door.process.wait(15) == 0
        assert run(transport, "test:echo") == b"ann []\n"
        transport.close()


def test_one_key_may_hold_so_many_connections(shared: Running) -> None:
    with limited(shared, friends=1) as door:
        first, second = (paramiko.Transport(("127.0.0.1", door.port)) for _ in range(2))
        first.connect(username="paas", pkey=load(shared, "ann"))
        assert run(first, "test:echo") == b"ann []\n"
        second.connect(username="paas", pkey=load(shared, "ann"))
        wait_for(lambda: not second.is_active())
        assert run(first, "test:echo") == b"ann []\n"
        first.close()


def test_a_stranger_cannot_make_the_door_keep_a_huge_packet(shared: Running) -> None:
    with limited(shared) as door, door.knock() as stranger:
        assert greets(stranger)
        stranger.sendall(b"SSH-2.0-x\r\n" + (512 * 1024 * 1024 + 4).to_bytes(4, "big"))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            stranger.sendall(bytes(64 * 1024 * 1024))


def test_a_connection_is_what_the_kernel_takes_before_any_app(shared: Running) -> None:
    with limited(shared) as door, door.knock() as stranger:
        assert greets(stranger)
        stranger.sendall(b"SSH-2.0-x\r\n")
        wait_for(lambda: len(children_of(door.process.pid)) == 1)
        [pid] = children_of(door.process.pid)
        wait_for(lambda: Path(f"/proc/{pid}/oom_score_adj").read_text() == "700\n")
