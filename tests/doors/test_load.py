"""Many at the doors at once, on loopback: a short form of what bench/doors.py measures."""

import contextlib
import socket
import subprocess
from pathlib import Path

from tests.doors.running import Running, children_of, wait_for
from tests.doors.test_ssh_server import greets

STRANGERS = 50  # as many connections as one key may have
COMMANDS, SLOW = 20, 10
GROWTH = 3.0  # MB; a process that was left behind is larger


def everybody(running: Running) -> list[int]:
    """Return the supervisor and all below it."""
    assert running.daemon
    found = [running.daemon.pid]
    for pid in found:
        found += children_of(pid)
    return found


def memory(running: Running) -> float:
    """Return the MB of all processes (PSS, proc(5)), without files: others here map the same."""
    files = (Path(f"/proc/{pid}/smaps_rollup") for pid in everybody(running))
    sizes = (file.read_text().partition("\nPss_Anon:")[2].split()[0] for file in files)
    return sum(map(int, sizes)) / 1000


def start(running: Running, *command: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(running.ssh_argv(*command), stdin=pipe, stdout=pipe)


def test_an_office_that_comes_at_once_is_let_in_and_keeps_nobody_waiting(shared: Running) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(STRANGERS):
            stranger = socket.create_connection(("127.0.0.1", shared.port), timeout=30)
            assert greets(stack.enter_context(stranger))
        assert children_of(shared.helpers()["ssh door"]) == []  # the silent cost a descriptor each
        assert shared.ssh("test:exit 42").returncode == 42


def test_commands_at_once_are_all_answered_while_others_are_slow(shared: Running) -> None:
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(start(shared, "test:cat")) for _ in range(SLOW)]
        many = [stack.enter_context(start(shared, f"test:exit {n}")) for n in range(COMMANDS)]
        assert [client.wait(60) for client in many] == list(range(COMMANDS))
        for client in slow:
            assert client.communicate(b"late", 60)[0] == b"late"


def test_what_a_crowd_takes_is_given_back(shared: Running) -> None:
    shared.ssh("test:exit 0")
    wait_for(lambda: len(everybody(shared)) == 3)
    before = memory(shared)
    clients = [start(shared, "test:cat") for _ in range(COMMANDS)]
    wait_for(lambda: len(everybody(shared)) == 3 + 2 * COMMANDS, 60)
    assert memory(shared) > before + GROWTH
    for client in clients:
        client.kill()
        client.communicate()
    wait_for(lambda: len(everybody(shared)) == 3)
    assert memory(shared) < before + GROWTH
