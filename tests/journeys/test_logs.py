"""Following a log through deploys, a crash and a restart of the daemon: no line is lost."""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.journeys.instance import Instance, running
from tests.journeys.programs import Git
from tests.journeys.test_hard_times import until

APP = """\
import os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/crash":
            os._exit(7)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


def count():
    for number in range(10**9):
        print(f"@VERSION@ {os.getpid()}-{START} {number}", flush=True)
        time.sleep(0.003)


START = time.time_ns()
threading.Thread(target=count, daemon=True).start()
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"""
LINE = re.compile(r"shop\[web\.1\]: (\w+) (\S+) ([0-9]+)$")


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    with running(drain_timeout="3", stop_timeout="1") as instance:
        yield instance


def deploy(git: Git, version: str) -> None:
    git.write("app.py", APP.replace("@VERSION@", version))
    git.write("requirements.txt", "")
    git.write("Procfile", "web: exec python3 app.py\n")
    git.commit(version)
    git.push()


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    deploy(git, "one")
    return git


@contextmanager
def following(git: Git) -> Iterator[list[str]]:
    """Read `logs -t` into the list that is yielded."""
    lines: list[str] = []
    with subprocess.Popen(
        [*git.ssh.command, "logs", "shop", "-t", "-n", "1"], stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdout
        thread = threading.Thread(target=lines.extend, args=(client.stdout,))
        thread.start()
        until(lambda: len(lines) > 1, "lines come")
        yield lines
        client.terminate()
        thread.join()


def numbers(lines: list[str], version: str) -> dict[str, list[int]]:
    """Return the numbers that each process of a version wrote, in the order in which they came."""
    found: dict[str, list[int]] = {}
    for line in list(lines):
        if (match := LINE.search(line.rstrip())) and match[1] == version:
            found.setdefault(match[2], []).append(int(match[3]))
    return found


def test_no_line_is_lost_across_a_deploy(paas: Instance, shop: Git) -> None:
    with following(shop) as lines:
        deploy(shop, "two")
        until(lambda: len(paas.containers()) == 1, "the old process has ended")
        until(lambda: bool(numbers(lines, "two")), "the new one is followed")
    [old], [new] = numbers(lines, "one").values(), numbers(lines, "two").values()
    assert old == list(range(old[0], old[-1] + 1))
    assert new == list(range(new[-1] + 1))
    kept = shop.ssh.run("logs", "shop", "--release", "v1").stdout.splitlines()
    assert numbers(kept[-1:], "one") == {key: [old[-1]] for key in numbers(lines, "one")}


def test_no_line_is_lost_when_a_process_starts_again(paas: Instance, shop: Git) -> None:
    with following(shop) as lines:
        paas.curl("shop", "/crash")
        until(lambda: len(numbers(lines, "two")) == 2, "the one that was started again is followed")
    first, again = numbers(lines, "two").values()
    assert first == list(range(first[0], first[-1] + 1))
    assert again == list(range(again[-1] + 1))


def test_what_was_written_before_can_be_searched(shop: Git) -> None:
    found = shop.ssh.run("logs:search", "shop", "ONE ", "-n", "3").stdout.splitlines()
    assert len(found) == 3
    assert all(" one " in line for line in found)


def test_events_tell_of_the_deploy_and_of_the_engine(shop: Git) -> None:
    told = shop.ssh.run("events", "--app", "shop", "-n", "1000").stdout
    assert "deployed" in told
    assert re.search(r"shop\[web\.1\] die .*code=7", told)
    assert re.search(r"shop\[web\.1\] start", told)


def test_a_failed_deploy_leaves_the_log_of_its_processes(shop: Git) -> None:
    shop.write("Procfile", "web: echo no config here; exit 3\n")
    shop.commit("broken")
    assert shop.push(check=False).returncode != 0
    assert "no config here" in shop.ssh.run("logs:failed", "shop").stdout
