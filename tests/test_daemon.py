"""The supervisor: what dies comes back, who dies takes nobody along, nothing is left open."""

import array
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from paas import notify
from paas.daemon_log import put_aside
from paas.doors import wire
from tests.doors.running import DOOR_USER, Running, children_of, make_own, make_shared, wait_for

__all__ = ["make_own", "make_shared"]


def start_waiting(running: Running, note: Path, *flags: str) -> subprocess.Popen[bytes]:
    """Type a command that waits; return when it is at work."""
    door = subprocess.Popen(
        [*running.local_argv, "test:wait", str(note), *flags],
        env=running.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert door.stdout
    line = door.stdout.readline().decode()
    assert line.startswith("pid "), line
    return door


def worker_of(running: Running) -> int:
    """Return the pid of the one request that is at work."""
    assert running.daemon
    (pid,) = set(children_of(running.daemon.pid)) - set(running.helpers().values())
    return pid


def connect(running: Running) -> socket.socket:
    return wire.connect(str(running.socket))


def refusal(connection: socket.socket) -> tuple[int, str]:
    with connection:
        connection.settimeout(15)
        return wire.wait_for_exit(connection)


# -- death


def test_a_request_killed_with_9_harms_nobody_and_its_door_says_so(
    shared: Running, tmp_path: Path
) -> None:
    door = start_waiting(shared, tmp_path / "note")
    os.kill(worker_of(shared), signal.SIGKILL)
    _, said = door.communicate(timeout=15)
    assert door.returncode == 255
    assert b"ended without an exit status" in said
    assert shared.local("test:exit", "7").returncode == 7
    assert len(shared.helpers()) == 2


def test_a_request_that_wants_too_much_memory_ends_alone(shared: Running) -> None:
    done = shared.local("test:limits")
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert "MemoryError" in shared.log
    assert shared.local("test:exit", "7").returncode == 7


@pytest.mark.parametrize("name", ["ssh door", "background"])
def test_a_helper_killed_with_9_comes_back(own: Running, name: str) -> None:
    own.start()
    before = own.helpers()
    os.kill(before[name], signal.SIGKILL)
    wait_for(lambda: own.helpers().get(name, before[name]) != before[name])
    assert own.ssh("test:echo").stdout == b"ann []\n"
    assert {**own.helpers(), name: 0} == {**before, name: 0}, "the other one stays"


def test_a_connection_that_comes_while_the_ssh_door_is_dead_waits_for_the_next(
    own: Running,
) -> None:
    own.start()
    os.kill(own.helpers()["ssh door"], signal.SIGKILL)
    assert own.ssh("test:exit", "7").returncode == 7


def has_changed(running: Running, background: int) -> bool:
    return running.helpers().get("background", background) != background


def test_a_helper_that_dies_again_and_again_is_started_ever_less_often(own: Running) -> None:
    own.start()
    for _ in range(3):
        before = own.helpers()["background"]
        os.kill(before, signal.SIGKILL)
        wait_for(partial(has_changed, own, before))
    assert own.log.count("background ended (-9)") == 3


def test_a_daemon_killed_with_9_takes_its_helpers_along_and_can_start_again(own: Running) -> None:
    own.start()
    helpers = own.helpers()
    assert own.daemon
    own.daemon.kill()
    own.daemon.wait()
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in helpers.values()))
    own.start()
    assert own.ssh("test:exit", "7").returncode == 7


def test_a_daemon_that_is_stopped_goes_after_its_helpers(own: Running) -> None:
    """systemd warns of what is left of a service when it starts it again."""
    own.start()
    assert own.daemon
    helpers = own.helpers()
    status = Path(f"/proc/{helpers['ssh door']}/status")
    os.kill(helpers["ssh door"], signal.SIGSTOP)
    wait_for(lambda: "State:\tT" in status.read_text())
    own.daemon.terminate()
    wait_for(lambda: not Path(f"/proc/{helpers['background']}").exists())
    assert own.daemon.poll() is None
    os.kill(helpers["ssh door"], signal.SIGCONT)
    assert own.daemon.wait(15) == 0
    assert not Path(f"/proc/{helpers['ssh door']}").exists()


def test_a_request_outlives_the_daemon(own: Running) -> None:
    own.start()
    door = start_waiting(own, own.root / "note")
    own.stop()
    assert door.poll() is None
    own.start()
    door.terminate()
    assert door.wait(15) == 128 + signal.SIGTERM
    assert (own.root / "note").read_text() == "interrupted SIGTERM"
    door.communicate()


def test_a_second_daemon_is_refused(shared: Running) -> None:
    assert shared.daemon
    second = subprocess.run(
        shared.daemon.args, env=shared.environ, capture_output=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert b"runs already" in second.stderr
    assert shared.local("test:exit", "7").returncode == 7


# -- signals and hang-up through the local door


@pytest.mark.parametrize("name", wire.SIGNALS)
def test_a_signal_to_the_local_door_interrupts_the_command(
    shared: Running, tmp_path: Path, name: str
) -> None:
    door = start_waiting(shared, tmp_path / "note")
    number = getattr(signal, f"SIG{name}")
    door.send_signal(number)
    door.communicate(timeout=15)
    assert door.returncode == 128 + number
    assert (tmp_path / "note").read_text() == f"interrupted SIG{name}"


def test_a_second_signal_leaves_a_command_behind_that_outlives_its_client(
    shared: Running, tmp_path: Path
) -> None:
    door = start_waiting(shared, tmp_path / "note", "--outlive")
    while door.poll() is None:
        door.send_signal(signal.SIGINT)
        threading.Event().wait(0.05)
    door.communicate()
    assert door.returncode == 128 + signal.SIGINT
    wait_for((tmp_path / "note").exists)
    assert (tmp_path / "note").read_text() == "finished, hung up: True"


# -- who may knock, and how


def hand_over_as(running: Running, user: str, request: dict[str, object]) -> tuple[int, str]:
    """Send a request from a process of another user, which may open the socket only here."""
    program = (
        "import contextlib, json, sys\n"
        "from paas.doors import wire\n"
        "with wire.connect(sys.argv[1]) as connection:\n"
        "    with contextlib.suppress(OSError):\n"
        "        wire.send(connection, json.loads(sys.argv[2]), (0, 1, 2))\n"
        "    print(*wire.wait_for_exit(connection))\n"
    )
    done = subprocess.run(
        [running.local_argv[0], "-c", program, str(running.socket), json.dumps(request)],
        env=running.environ,
        user=user,
        group="nogroup",
        extra_groups=[],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    status, _, say = done.stdout.rstrip().rpartition("\n")[2].partition(" ")
    return int(status), say + done.stderr


@pytest.mark.parametrize(
    ("user", "request_"),
    [
        ("root", {"door": "ssh", "argv": ["test:echo"], "fingerprint": "ANN"}),
        ("root", {"door": "local", "argv": ["test:echo"], "fingerprint": "ANN"}),
        (DOOR_USER, {"door": "local", "argv": ["test:echo"]}),
        (DOOR_USER, {"door": "ssh", "argv": ["test:echo"]}),
        (DOOR_USER, {"door": "local", "argv": ["test:echo"], "fingerprint": "ANN"}),
        (DOOR_USER, {"door": "ssh", "argv": ["test:echo"], "fingerprint": "SHA256:nobody"}),
    ],
)
def test_a_door_cannot_claim_to_be_another(
    shared: Running, user: str, request_: dict[str, object]
) -> None:
    if request_.get("fingerprint") == "ANN":
        request_ = {**request_, "fingerprint": shared.fingerprint("ann")}
    status, said = hand_over_as(shared, user, request_)
    assert status == 1
    assert "may not do anything here" in said


def test_any_other_user_is_refused_before_anything_is_read(shared: Running) -> None:
    shared.socket.chmod(0o666)  # what the kernel would not even let through
    status, said = hand_over_as(shared, "daemon", {"door": "local", "argv": ["test:echo"]})
    shared.socket.chmod(0o660)
    assert status == 1
    assert "Only root may type commands here" in said


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"[]\n",
        b"{\n",
        b"null\n",
        b"\xff\xfe\n",
        b"[" * 5000 + b"\n",
        b'{"door": "local"}\n',
        b'{"door": "window", "argv": []}\n',
        b'{"door": "local", "argv": "ls"}\n',
        b'{"door": "local", "argv": [1]}\n',
        b'{"door": "local", "argv": [], "environ": [["LANG", "a\\u0000"]]}\n',
        b'{"door": "local", "argv": [], "environ": [["LANG", "\\ud800"]]}\n',
        b'{"door": "local", "argv": [], "tty": true, "term": "\\u0000"}\n',
        b'{"door": "local", "argv": ["\\ud800"]}\n',
        b'{"door": "local", "argv": ["a\\u0000b"]}\n',
        b'{"door": "local", "argv": [], "more": 1}\n',
        b'{"door": "local", "argv": [], "rows": -1}\n',
        b'{"door": "local", "argv": [], "rows": "many"}\n',
        b'{"door": "local", "argv": [], "environ": [["LD_PRELOAD", "x"]]}\n',
        b'{"door": "local", "argv": [], "environ": 3}\n',
        b"x" * 200_000,
    ],
    ids=lambda line: repr(line[:40]),
)
def test_a_malformed_request_is_refused_in_words(shared: Running, line: bytes) -> None:
    connection = connect(shared)
    with Path(os.devnull).open("rb") as null, contextlib.suppress(BrokenPipeError):
        socket.send_fds(connection, [line], [null.fileno()] * 3)  # it may have heard enough
    status, said = refusal(connection)
    assert status == 1
    assert said.startswith("The request was refused: ")


def test_a_door_writes_no_lines_into_the_log(shared: Running) -> None:
    name = "x\n2026-01-01 00:00:00,000 1 INFO root typed: users:add eve\n" + "y" * 60_000
    before = len(shared.log)
    with connect(shared) as connection:
        request = {"door": "local", "argv": ["help"], name: 1}
        wire.send(connection, request, [0, 1, 2])
        assert wire.wait_for_exit(connection)[0] == 1
    [line] = shared.log[before:].splitlines()
    assert 'refused a request of uid 0: "' in line
    assert len(line) < 300


@pytest.mark.parametrize("count", [0, 1, 2, 4, 100])
def test_a_request_comes_with_three_descriptors(shared: Running, count: int) -> None:
    connection = connect(shared)
    with Path(os.devnull).open("rb") as null:
        rights = array.array("i", [null.fileno()] * count)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if count else []
        connection.sendmsg([b'{"door": "local", "argv": ["help"]}\n'], ancillary)
    assert refusal(connection) == (
        1,
        "The request was refused: a request comes with three descriptors",
    )


def test_a_silent_door_blocks_nobody(shared: Running) -> None:
    with connect(shared) as silent, connect(shared) as slow:
        slow.sendall(b'{"door": ')
        assert shared.local("test:exit", "7").returncode == 7
        assert silent.fileno() > 0


def test_too_many_requests_are_refused_with_a_line(own: Running) -> None:
    own.start(most_children=2, reserved=0)
    with connect(own), connect(own):
        wait_for(lambda: own.local("test:exit", "0").returncode == 75)
        assert b"2 commands are at work already" in own.local("test:exit", "0").stderr
    wait_for(lambda: own.local("test:exit", "7").returncode == 7)


def test_root_is_answered_while_users_take_all_the_room(own: Running) -> None:
    own.start(most_children=1)
    door = start_waiting(own, own.root / "note")
    assert own.ssh("test:exit", "7").returncode == 75
    assert own.local("test:exit", "7").returncode == 7
    door.kill()
    door.communicate()


# -- nothing is left open


def descriptors(pid: int) -> list[str]:
    return sorted(str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())


def test_the_supervisor_never_holds_a_clients_descriptor(own: Running) -> None:
    own.start()
    assert own.daemon
    before = descriptors(own.daemon.pid)
    door = start_waiting(own, own.root / "note")
    with ThreadPoolExecutor(4) as pool:
        statuses = pool.map(lambda _: own.ssh("test:exit", "7").returncode, range(12))
        assert set(statuses) == {7}
    assert descriptors(own.daemon.pid) == before
    door.kill()
    door.communicate()


def test_a_request_holds_nothing_of_the_supervisors(own: Running) -> None:
    own.start()
    assert own.daemon
    door = start_waiting(own, own.root / "note")
    ours = {name for name in descriptors(own.daemon.pid) if name.startswith(("socket", "pipe"))}
    ours |= {str(own.root / "run" / "paas.pid")}
    assert not ours & set(descriptors(worker_of(own)))
    assert not ours & set(descriptors(own.helpers()["background"])) - {lifeline_of(own)}
    door.kill()
    door.communicate()


def lifeline_of(running: Running) -> str:
    """Return the pipe that background and ssh door share with the supervisor."""
    helpers = running.helpers()
    shared = set(descriptors(helpers["background"])) & set(descriptors(helpers["ssh door"]))
    return next(name for name in shared if name.startswith("pipe"))


def test_the_ssh_door_is_nobody_special(shared: Running) -> None:
    status = Path(f"/proc/{shared.helpers()['ssh door']}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(fields["Uid"].split()) == {"65534"}
    assert set(fields["Gid"].split()) == {"65534"}
    assert fields["Groups"].strip() == ""
    assert int(fields["CapEff"], 16) == 0
    opened = descriptors(shared.helpers()["ssh door"])
    assert not [name for name in opened if "docker" in name or name.endswith(".db")]


# -- systemd


def test_systemd_hears_that_the_daemon_is_ready(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        assert notify.send("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert systemd.recv(100) == b"READY=1"


def test_without_systemd_nobody_is_told() -> None:
    assert not notify.send("READY=1", {})


LOGS = """
import logging, os, pathlib, sys
from paas.daemon_log import open_log, stream_of
told = {"it": stream_of(2), "another": "8:1"}[sys.argv[2]]
open_log(pathlib.Path(sys.argv[1]), {"JOURNAL_STREAM": told})
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # as a request does
logging.getLogger("paas").info("hello")
"""


@pytest.mark.parametrize(("stream", "heard"), [("it", True), ("another", False)])
def test_the_journal_gets_the_log_too(tmp_path: Path, stream: str, heard: bool) -> None:
    log = tmp_path / "paas.log"
    command = [sys.executable, "-c", LOGS, str(log), stream]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert log.read_text().endswith("INFO hello\n")
    assert done.stderr.endswith("INFO hello\n") == heard


FULL = """
import logging, os, pathlib, sys
from paas import daemon_log
log, path = logging.getLogger("paas"), pathlib.Path(sys.argv[1])
daemon_log.open_log(path)
log.info("said by all before")
reader, writer = os.pipe()
if not os.fork():  # a request that is at work meanwhile
    os.close(writer)
    os.read(reader, 1)
    log.info("said by a request")
    os._exit(0)
daemon_log.FULL = 1
daemon_log.put_aside(path)
os.close(writer)
os.wait()
log.info("said by the daemon")
"""


def test_a_full_log_is_put_aside_while_all_go_on_writing(tmp_path: Path) -> None:
    log = tmp_path / "paas.log"
    subprocess.run([sys.executable, "-c", FULL, str(log)], timeout=30, check=True)
    assert "said by all before" in log.with_name("paas.log.1").read_text()
    texts = [line.partition("INFO ")[2] for line in log.read_text().splitlines()]
    assert texts == ["said by a request", "said by the daemon"]


def test_a_log_that_is_not_full_stays_and_none_is_none(tmp_path: Path) -> None:
    put_aside(tmp_path / "paas.log")
    (tmp_path / "paas.log").write_text("a line\n")
    put_aside(tmp_path / "paas.log")
    assert [file.name for file in tmp_path.iterdir()] == ["paas.log"]


GONE = """
import logging, pathlib, shutil, sys
from paas.daemon_log import open_log
path = pathlib.Path(sys.argv[1])
open_log(path)
shutil.rmtree(path.parent)
logging.getLogger("paas").info("said in vain")
path.parent.mkdir()
logging.getLogger("paas").info("said again")
"""


def test_a_log_that_cannot_be_opened_again_fails_nobody(tmp_path: Path) -> None:
    log = tmp_path / "log" / "paas.log"
    command = [sys.executable, "-c", GONE, str(log)]
    done = subprocess.run(command, capture_output=True, timeout=30, check=True)
    assert done.stderr == b""
    assert "said again" in log.read_text()
