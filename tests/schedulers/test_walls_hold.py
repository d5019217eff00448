"""Attacks from inside a real container: each must end at a wall."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from paas.model import SecurityOptions
from tests.contracts.engines import until
from tests.fakes.files import Files
from tests.schedulers.conftest import Prison
from tests.schedulers.specs import INSTANCE

pytestmark = pytest.mark.engine
MB = 1024 * 1024
EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97
SYSCALLS = """python3 -c '
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for call in {}:
    print(libc.syscall(*call), ctypes.get_errno())'"""
REFUSED = {  # x86-64 numbers
    "io_uring_setup": ((425, 8, 0), EPERM),
    "bpf": ((321, 0, 0, 0), EPERM),
    "userfaultfd": ((323, 0), EPERM),
    "unshare(CLONE_NEWUSER)": ((272, 0x10000000), EPERM),
    "clone(CLONE_NEWUSER)": ((56, 0x10000000 | 17, 0, 0, 0, 0), EPERM),
    "clone3": ((435, 0, 0), ENOSYS),
    "keyctl": ((250, 0, 0, 0, 0, 0), EPERM),
    "mount": ((165, 0, 0, 0, 0, 0), EPERM),
    "perf_event_open": ((298, 0, 0, 0, 0, 0), EPERM),
    "open_by_handle_at": ((304, 0, 0, 0), EPERM),
    "personality(ADDR_NO_RANDOMIZE)": ((135, 0x0040000), EPERM),
    "socket(AF_VSOCK)": ((41, 40, 1, 0), EAFNOSUPPORT),
    "socket(AF_ALG)": ((41, 38, 5, 0), EAFNOSUPPORT),
    "socket(AF_PACKET)": ((41, 17, 3, 0), EAFNOSUPPORT),
    "socket(SOCK_RAW)": ((41, 2, 3, 1), EPERM),
}
FORKS = """python3 -c '
import os, time
n = 0
try:
    while n < 1000:
        if os.fork() == 0: time.sleep(60)
        n += 1
except OSError as e: print(n, e.errno, flush=True)
os.kill(-1, 9)'"""


def test_no_capability_is_left_in_any_set(prison: Prison) -> None:
    _, text = prison.run("cat /proc/self/status")
    status = dict(line.split(":\t") for line in text.splitlines() if ":\t" in line)
    sets = [status[f"Cap{name}"] for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")]
    assert sets == ["0" * 16] * 5
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert status["Uid"].split() == ["200001"] * 4


def test_a_setuid_program_gains_nothing(prison: Prison) -> None:
    assert prison.run("ls -l /id-as-root | cut -c1-10; /id-as-root -u") == (
        0,
        "-rwsr-xr-x\n200001\n",
    )


def test_a_command_run_in_a_live_container_has_the_same_walls(
    prison: Prison, tmp_path: Path
) -> None:
    container = prison.scheduler.start(prison.spec("exec sleep 600"))
    argv = ["sh", "-c", "id -u; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; /id-as-root -u"]
    with Files(tmp_path) as files:
        prison.scheduler.exec(container, argv, replace(files.streams, stdin=None))
    prison.scheduler.stop([container], 1)
    words = files.out.decode().split()
    assert words == ["200001", "CapBnd:", "0" * 16, "NoNewPrivs:", "1", "200001"]


def test_a_fork_bomb_ends_at_the_limit(prison: Prison) -> None:
    _, text = prison.run(FORKS, SecurityOptions(pids=64))
    count, errno = text.split()
    assert (int(count) < 64, errno) == (True, "11")


def test_the_root_is_read_only_even_where_all_may_write(prison: Prison) -> None:
    for path in ("/world/x", "/etc/x", "/usr/x", "/x"):
        status, text = prison.run(f"echo x > {path}")
        assert status != 0
        assert "Read-only file system" in text


def test_a_writable_root_is_still_not_roots(prison: Prison) -> None:
    options = SecurityOptions(writable_root=True)
    assert prison.run("echo x > /world/x && echo ok", options) == (0, "ok\n")
    assert "Permission denied" in prison.run("echo x > /etc/x", options)[1]


@pytest.mark.parametrize(
    ("path", "size"), [("/tmp", 64), ("/var/tmp", 16), ("/run", 8), ("/data", 64), ("/dev/shm", 64)]
)
def test_a_place_to_write_is_the_apps_and_ends_at_its_size(
    prison: Prison, path: str, size: int
) -> None:
    _, text = prison.run(f"dd if=/dev/zero of={path}/x bs=1M count=100 2>&1; stat -c %s {path}/x")
    assert "No space left on device" in text
    assert int(text.split()[-1]) == size * MB


def test_the_sizes_can_be_changed(prison: Prison) -> None:
    options = SecurityOptions(tmp_size=4 * MB, tmpfs={"/data": 2 * MB, "/world": 3 * MB})
    _, text = prison.run("df -B1 --output=size /tmp /data /world | tail -3", options)
    assert [int(n) // MB for n in text.split()] == [4, 2, 3]


def test_dangerous_system_calls_are_refused(prison: Prison) -> None:
    _, text = prison.run(SYSCALLS.format([call for call, _ in REFUSED.values()]))
    got = dict(zip(REFUSED, text.splitlines(), strict=True))
    assert got == {name: f"-1 {errno}" for name, (_, errno) in REFUSED.items()}


def test_ordinary_programs_do_not_feel_the_filter(prison: Prison) -> None:
    program = (
        "import threading, subprocess, socket, asyncio, multiprocessing as m, tempfile, mmap;"
        "t=threading.Thread(target=print, args=('thread',)); t.start(); t.join();"
        "print(subprocess.run(['echo','child'],capture_output=True).stdout.decode().strip());"
        "print(bool(socket.if_nameindex()));"
        "socket.socketpair(); socket.create_server(('0.0.0.0',80)); m.Semaphore();"
        "asyncio.run(asyncio.sleep(0)); tempfile.TemporaryFile(); mmap.mmap(-1, 4096)"
    )
    assert prison.run(f'python3 -c "{program}"') == (0, "thread\nchild\nTrue\n")


def test_a_memory_hog_is_killed_and_it_shows(prison: Prison) -> None:
    # It lives on for a moment: the engine may hear of the end before it hears of the kill.
    hog = "python3 -c 'x = bytearray(200 * 1024 * 1024)'; status=$?; sleep 1; exit $status"
    container = prison.scheduler.start(prison.spec(hog, SecurityOptions(memory=64 * MB)))
    seen = until(lambda: prison.scheduler.inspect(container), lambda o: o.exit_code is not None)
    prison.scheduler.stop([container], 1)
    assert (seen.exit_code, seen.oom_killed, seen.memory) == (137, True, 64 * MB)


def test_a_tmpfs_counts_as_the_apps_memory(prison: Prison) -> None:
    fill = "dd if=/dev/zero of=/tmp/x bs=1M count=60; dd if=/dev/zero of=/data/x bs=1M count=60"
    status, _ = prison.run(fill, SecurityOptions(memory=64 * MB))
    assert status == 137


def test_nothing_of_the_host_is_there_but_the_ca_bundle(prison: Prison) -> None:
    _, text = prison.run("cat /proc/self/mountinfo; cat /proc/self/cgroup; ls /var/run/docker.sock")
    hosts = [line for line in text.splitlines() if " - ext4 " in line or " - xfs " in line]
    points = {line.split()[4] for line in hosts}
    own = {"/etc/paas-ca.crt", "/etc/resolv.conf", "/etc/hostname", "/etc/hosts"}
    assert points <= own | {"/usr/sbin/docker-init", "/sbin/docker-init"}
    groups = re.findall(r"^[0-9]+:[^:]*:(.*)$", text, re.MULTILINE)
    assert set(groups) == {"/"}
    assert "No such file" in text


def test_what_the_image_says_of_itself_does_not_count(prison: Prison) -> None:
    container = prison.scheduler.start(prison.spec("echo $PORT $HOME; exec sleep 600"))
    answer = prison.scheduler._engine.api.inspect_container(container)
    lines = until(lambda: prison.scheduler.tail(container, 1), bool)
    prison.scheduler.stop([container], 1)
    assert lines == ("5000 /tmp",)
    assert answer["Config"]["Labels"]["paas.app"] == "shop"
    assert answer["Config"]["Labels"]["paas.instance"] == INSTANCE
    assert answer["Config"]["StopSignal"] == "SIGTERM"
    assert "Health" not in answer["State"]
    assert [m["Type"] for m in answer["Mounts"]] == ["bind"], json.dumps(answer["Mounts"])
