"""Commands in an app's image: pipes and terminals, over ssh and on the host; nothing is left."""

import hashlib
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.doors.ssh_session import set_size
from tests.journeys.instance import Instance
from tests.journeys.programs import Git
from tests.journeys.test_doors import parts
from tests.journeys.test_first_push import write_version
from tests.journeys.test_hard_times import until

GIGABYTE = 1 << 30
PIECE = 1 << 20
SOURCE = f"""import sys
for _ in range({GIGABYTE // PIECE}): sys.stdout.buffer.write(bytes(range(256)) * 4096)"""


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    write_version(git, "one")
    git.write("Procfile", "web: python3 app.py\nhello: echo hello from $DYNO\n")
    git.commit("with a task")
    git.push()
    return git


def one_offs(paas: Instance) -> list[str]:
    return [name for name in paas.containers() if re.search(r"\.(run|cron|debug)\.", name)]


@pytest.fixture(autouse=True)
def _nothing_is_left(paas: Instance, shop: Git) -> Iterator[None]:
    yield
    until(lambda: one_offs(paas) == [], "no one-off container is left")
    until(lambda: shop.ssh.run("run:list", "shop").stdout.splitlines()[1:] == [], "none is listed")


def test_a_command_has_the_image_the_config_and_the_walls_of_the_app(shop: Git) -> None:
    shop.ssh.run("config:set", "shop", "COLOUR=blue")
    line = "'echo $COLOUR $EXTRA; ls app.py; grep CapBnd /proc/self/status; touch x'"
    done = shop.ssh.run("run", "-e", "EXTRA=more", "shop", line)
    assert done.stdout.split() == ["blue", "more", "app.py", "CapBnd:", "0" * 16]
    assert "Read-only file system" in done.stderr
    assert done.returncode == 1


def test_a_name_of_the_procfile_stands_for_its_line(shop: Git) -> None:
    assert re.fullmatch(
        r"hello from run\.\d+ x\n", shop.ssh.run("run", "shop", "hello", "x").stdout
    )


def test_the_exit_status_and_both_outputs_are_passed_on(paas: Instance, shop: Git) -> None:
    words = ("run", "shop", "sh", "-c", "echo out; echo err >&2; exit 42")
    here = paas.paas(*words, check=False)
    quoted = (*words[:-1], f"'{words[-1]}'")
    for done in (here, shop.ssh.run(*quoted)):
        assert (done.returncode, done.stdout, done.stderr) == (42, "out\n", "err\n")


def test_who_runs_out_of_memory_is_told_so_and_how_to_get_more(paas: Instance, shop: Git) -> None:
    line = "sleep 0.5; exec tail /dev/zero"  # the engine listens a moment after the start
    here = paas.paas("run", "shop", line, check=False)
    for done in (here, shop.ssh.run("run", "shop", f"'{line}'")):
        assert (done.returncode, done.stdout) == (137, "")
        assert "The command was ended: it was out of memory (limit 512 MB)" in done.stderr
        assert "Try: resource:limit --process-type run --memory 1024m shop" in done.stderr


def test_a_gigabyte_comes_out_of_a_command_unchanged(shop: Git) -> None:
    command = [*shop.ssh.command, "run", "shop", f"'exec python3 -c \"{SOURCE}\"'"]
    expected = hashlib.sha256()
    for _ in range(GIGABYTE // PIECE):
        expected.update(bytes(range(256)) * 4096)
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        assert client.stdout
        received = hashlib.file_digest(client.stdout, "sha256")  # type: ignore[arg-type] # it is a buffered reader
    print(f"1 GB out in {time.monotonic() - began:.1f} s")
    assert client.returncode == 0
    assert received.hexdigest() == expected.hexdigest()


def test_a_gigabyte_goes_into_a_command_unchanged(shop: Git) -> None:
    block, sent = os.urandom(PIECE), hashlib.sha256()
    began = time.monotonic()
    command = [*shop.ssh.command, "run", "shop", "sha256sum"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as client:
        assert client.stdin
        assert client.stdout
        for _ in range(GIGABYTE // PIECE):
            client.stdin.write(block)
            sent.update(block)
        client.stdin.close()
        received = client.stdout.read().decode().split()[0]
    print(f"1 GB in in {time.monotonic() - began:.1f} s")
    assert received == sent.hexdigest()


def test_a_reader_that_pauses_holds_the_command_up(paas: Instance, shop: Git) -> None:
    command = [*shop.ssh.command, "run", "shop", "cat", "/dev/zero"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        assert client.stdout
        client.stdout.read(PIECE)
        pid = parts(paas, "paas-request")[0]
        time.sleep(2)  # the pipes fill up; nothing of what follows depends on how long it takes
        assert memory_of(pid) < 200 << 20
        client.kill()


def memory_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmRSS"))


def test_config_of_a_megabyte_is_read_from_ssh(shop: Git) -> None:
    lines = "".join(f"BIG_{n}={'x' * 60_000}\n" for n in range(15))
    done = shop.ssh.run("config:import", "--no-restart", "shop", "-", text_in=lines)
    assert done.returncode == 0, done.stderr
    assert len(shop.ssh.run("config:get", "shop", "BIG_14").stdout) == 60_001
    shop.ssh.run("config:unset", "--no-restart", "shop", *(f"BIG_{n}" for n in range(15)))


class Terminal:
    """A person at a terminal, whose program this test reads and types into."""

    def __init__(self, argv: list[str], environ: dict[str, str] | None = None) -> None:
        self.said = b""
        self.master, slave = pty.openpty()
        set_size(self.master, 33, 99)
        self.program = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ,
        )
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def shows(self, pattern: str) -> None:
        until(lambda: re.search(pattern, self.text) is not None, f"{pattern} in {self.said!r}")

    def resize(self, rows: int, columns: int) -> None:
        set_size(self.master, rows, columns)  # the kernel tells the program of it

    @property
    def text(self) -> str:
        return self.said.decode(errors="replace")

    def _read(self) -> None:
        try:
            while piece := os.read(self.master, 4096):
                self.said += piece
        except OSError:  # the program has ended
            return


@pytest.fixture(params=["ssh", "local"])
def shell(request: pytest.FixtureRequest, paas: Instance, shop: Git) -> Iterator[Terminal]:
    if request.param == "ssh":
        argv = [shop.ssh.command[0], "-tt", *shop.ssh.command[1:], "run", "shop"]
        environ = dict(os.environ)
    else:
        argv = [sys.executable, "-m", "paas", "run", "shop"]
        environ = dict(paas.environ)
    terminal = Terminal(argv, environ | {"TERM": "xterm-256color"})
    try:
        terminal.shows(r"\$ $")
        yield terminal
    finally:
        terminal.program.kill()
        terminal.program.wait()
        os.close(terminal.master)


def test_a_terminal_has_its_size_colours_control_c_and_exit_status(shell: Terminal) -> None:
    shell.type("stty size; echo $TERM\r")
    shell.shows(r"33 99\r\nxterm-256color\r\n")
    shell.type("until [ \"$(stty size)\" = '44 111' ]; do sleep 0.1; done; echo gr''own\r")
    shell.resize(44, 111)
    shell.shows(r"grown\r\n")
    shell.type("sleep 600; echo status-$?\r")
    time.sleep(0.5)  # the shell has to be in sleep
    shell.type("\x03")
    shell.shows(r"\^C\r\n")
    shell.type("exit 7\r")
    assert shell.program.wait(30) == 7


def test_a_terminal_that_goes_away_ends_the_command(paas: Instance, shell: Terminal) -> None:
    assert len(one_offs(paas)) == 1
    shell.program.kill()
    shell.program.wait()


def test_a_pipe_whose_client_is_killed_ends_the_command(paas: Instance, shop: Git) -> None:
    with subprocess.Popen([*shop.ssh.command, "run", "shop", "sleep", "600"]) as client:
        until(lambda: len(one_offs(paas)) == 1, "it runs")
        client.kill()


def test_a_request_that_is_killed_leaves_nothing(paas: Instance, shop: Git) -> None:
    with subprocess.Popen([*shop.ssh.command, "run", "shop", "sleep", "600"]) as client:
        until(lambda: len(one_offs(paas)) == 1, "it runs")
        os.kill(parts(paas, "paas-request")[0], signal.SIGKILL)
        assert client.wait(30) == 255


def test_a_detached_command_runs_on_and_its_output_is_kept(paas: Instance, shop: Git) -> None:
    name = shop.ssh.run(
        "run:detached", "shop", "sh", "-c", "'echo begun; sleep 10; echo over'"
    ).stdout
    assert re.fullmatch(r"shop\.run\.\d+\n", name)
    assert name.strip() in shop.ssh.run("run:list", "shop").stdout
    paas.paas("stop")
    paas.paas("start")
    until(lambda: one_offs(paas) == [], "it is over")
    until(lambda: "over" in shop.ssh.run("run:logs", "shop", "-q").stdout, "its output is kept")
    assert shop.ssh.run("run:logs", "--container", name.strip(), "-q").stdout == "begun\nover\n"


def test_a_command_ends_when_its_time_is_over_or_somebody_stops_it(
    paas: Instance, shop: Git
) -> None:
    done = shop.ssh.run("run", "--ttl-seconds", "1", "shop", "sleep", "600")
    assert done.returncode != 0
    assert "The command was ended: it did not end within 1 s" in done.stderr
    shop.ssh.run("run:detached", "shop", "sleep", "600")
    assert "is stopped" in shop.ssh.run("run:stop", "shop").stdout


def test_entering_a_process_shows_what_it_sees_and_gives_no_more(paas: Instance, shop: Git) -> None:
    look = "grep -l app.py /proc/[0-9]*/cmdline | wc -l; grep CapEff /proc/self/status"
    line = f"'id -u; {look}; exit 5'"
    done = shop.ssh.run("enter", "shop", "web", "sh", "-c", line)
    assert re.fullmatch(r"\d{6}\n[1-9]\nCapEff:\t0{16}\n", done.stdout), done
    assert done.returncode == 5
    assert shop.ssh.run("enter", "shop", "nothing").returncode == 20


def test_a_command_in_a_process_ends_with_its_client(paas: Instance, shop: Git) -> None:
    def sleepers() -> int:
        return shop.ssh.run("ps:top", "shop").stdout.count("sleep 654")

    with subprocess.Popen([*shop.ssh.command, "enter", "shop", "web", "sleep", "654"]) as client:
        until(lambda: sleepers() == 1, "it runs")
        client.kill()
    until(lambda: sleepers() == 0, "it has ended")
    assert paas.status("shop") == 200
