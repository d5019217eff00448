"""A team's day: scale under load, scripts around a release, a cancelled push, and the way back."""

import contextlib
import http.client
import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

import pytest

from tests.journeys.instance import Instance, running
from tests.journeys.programs import Git
from tests.journeys.test_hard_times import until

APP = """\
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/break":
            broken.append(True)
        if self.path == "/live" and broken:
            return self.send_error(500)
        if self.path.startswith("/built/"):
            return self.say(open(self.path[1:]).read())
        self.say(f"{VERSION} {self.connection.getsockname()[0]} {os.environ.get('COLOUR', '')}")

    def do_POST(self):
        self.say(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def say(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        pass


broken = []
VERSION = "@VERSION@"
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Answer).serve_forever()
"""
PROCFILE = "web: exec python3 app.py\nworker: exec sleep 3600\n"


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    with running(drain_timeout="3", stop_timeout="3") as instance:
        yield instance


def write(git: Git, version: str, app_json: object = None, procfile: str = PROCFILE) -> str:
    git.write("app.py", APP.replace("@VERSION@", version))
    git.write("requirements.txt", "")
    git.write("Procfile", procfile)
    git.write("app.json", json.dumps(app_json or {}))
    return git.commit(version)


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    write(git, "one")
    git.push()
    return git


def version(paas: Instance) -> str:
    return paas.curl("shop").stdout.split(" ")[0]


@dataclass
class Traffic:
    """What clients met: where answers came from, how many there were, what went wrong."""

    addresses: set[str] = field(default_factory=set)
    answers: int = 0
    failures: list[str] = field(default_factory=list)


@contextlib.contextmanager
def traffic(paas: Instance, clients: int = 4) -> Iterator[Traffic]:
    """Send GETs and POSTs, from half of the clients on kept connections; nothing is retried."""
    seen, over = Traffic(), threading.Event()
    threads = [
        threading.Thread(target=use, args=(paas, seen, over, number % 2 == 0))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()


def use(paas: Instance, seen: Traffic, over: threading.Event, kept: bool) -> None:
    host = {"Host": f"shop.{paas.domain}"}
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", paas.http_port, timeout=20)
    ) as line:
        while not over.wait(0.03):
            try:
                line.request("GET", "/", headers=host)
                seen.addresses.add(line.getresponse().read().decode().split(" ")[1])
                line.request("POST", "/", "precious", host)
                assert line.getresponse().read() == b"precious"
            except (OSError, http.client.HTTPException, AssertionError, IndexError) as error:
                seen.failures.append(f"kept={kept}, after {seen.answers}: {error!r}")
                line.close()
            if not kept:
                line.close()
            seen.answers += 2


def await_answers(seen: Traffic, count: int) -> None:
    while seen.answers < count:
        time.sleep(0.05)


def test_scaling_up_and_down_under_load_loses_nothing(paas: Instance, shop: Git) -> None:
    with traffic(paas) as seen:
        for count in (2, 3, 1, 2):
            before = seen.answers
            done = shop.ssh.run("ps:scale", "shop", f"web={count}")
            assert done.returncode == 0, done.stderr
            await_answers(seen, before + 60)
        until(lambda: len(paas.containers()) == 2, "those that were scaled away are gone")
        assert len(seen.addresses) >= 3
        seen.addresses.clear()
        time.sleep(1)
    assert seen.failures == []
    assert len(seen.addresses) == 2
    print(f"{seen.answers} requests, {len(seen.failures)} lost")


def test_only_the_process_that_is_named_is_restarted(paas: Instance, shop: Git) -> None:
    before = paas.containers()
    with traffic(paas) as seen:
        assert shop.ssh.run("ps:restart", "shop", "web.2").returncode == 0
        until(lambda: len(paas.containers()) == 2, "the old process is gone")
        await_answers(seen, seen.answers + 60)
    assert seen.failures == []
    kept = set(before) & set(paas.containers())
    assert [name.split(".")[1:3] for name in kept] == [["web", "1"]]


def test_a_worker_starts_beside_the_webs(paas: Instance, shop: Git) -> None:
    assert shop.ssh.run("ps:scale", "shop", "worker=1").returncode == 0
    table = json.loads(shop.ssh.run("ps:scale", "shop", "--format", "json").stdout)
    assert {row["process_type"]: row["quantity"] for row in table} == {"web": 2, "worker": 1}
    assert sum(".worker.1." in name for name in paas.containers()) == 1


def test_a_recreated_worker_never_runs_twice_while_web_loses_nothing(
    paas: Instance, shop: Git
) -> None:
    assert shop.ssh.run("ps:set", "shop", "strategy.worker", "recreate").returncode == 0
    most, over = [0], threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            most[0] = max(most[0], sum(".worker." in name for name in paas.containers()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    write(shop, "two")
    with traffic(paas, clients=2) as seen:
        said = shop.push().stderr
    over.set()
    watcher.join()
    assert "Stopping worker.1 first (recreate)" in said
    assert (most[0], seen.failures, version(paas)) == (1, [], "two")


def test_a_recreated_worker_comes_back_when_the_new_one_fails(paas: Instance, shop: Git) -> None:
    write(shop, "broken", procfile="web: exec python3 app.py\nworker: exec false\n")
    done = shop.push(check=False)
    assert done.returncode != 0
    assert "worker.1 exited with code 1" in done.stderr
    assert version(paas) == "two"
    report = json.loads(shop.ssh.run("ps:report", "shop", "--format", "json").stdout)
    running = {p["name"]: p["status"] for p in report["status"] if p["status"] != "draining"}
    assert running == {"web.1": "running", "web.2": "running", "worker.1": "running"}


def test_a_predeploy_that_fails_keeps_what_is_live_and_can_be_pushed_again(
    paas: Instance, shop: Git
) -> None:
    line = 'echo checking; test -n "$ALLOWED" && mkdir built && echo "made $ALLOWED" > built/page'
    said = {"scripts": {"dokku": {"predeploy": line}}}
    write(shop, "three", said)
    with traffic(paas, clients=2) as seen:
        done = shop.push(check=False)
    assert (done.returncode != 0, seen.failures, version(paas)) == (True, [], "two")
    assert "The predeploy command exited with code 1" in done.stderr
    assert shop.ssh.run("config:set", "--no-restart", "shop", "ALLOWED=1").returncode == 0
    shop.push()
    assert version(paas) == "three"
    assert paas.curl("shop", "/built/page").stdout == "made 1\n"


def test_postdeploy_runs_after_the_switch_and_can_only_complain(paas: Instance, shop: Git) -> None:
    said = {"scripts": {"dokku": {"postdeploy": "echo warming; exit 3"}}}
    write(shop, "four", said)
    shown = shop.push().stderr
    assert "The postdeploy command exited with code 3" in shown
    assert "Deployed shop" in shown
    assert version(paas) == "four"


def test_a_release_command_that_hangs_is_ended_and_its_container_removed() -> None:
    with running(release_timeout="6") as paas:  # the others' predeploy commands take longer
        shop = paas.app("shop")
        write(shop, "one")
        shop.push()
        write(shop, "hanging", procfile=PROCFILE + "release: sleep 3600\n")
        done = shop.push(check=False)
        assert done.returncode != 0
        assert "The release command did not end within 6 s" in done.stderr
        assert version(paas) == "one"
        assert not [name for name in paas.containers() if ".release." in name]


def test_a_check_of_app_json_keeps_a_sick_version_out(paas: Instance, shop: Git) -> None:
    check = {"type": "startup", "path": "/", "content": "healthy", "attempts": 2, "wait": 1}
    write(shop, "sick", {"healthchecks": {"web": [check]}})
    done = shop.push(check=False)
    assert "answered 200 on / without 'healthy'" in done.stderr
    assert version(paas) == "four"
    assert "web.1: healthy" in shop.ssh.run("checks:run", "shop", "web").stdout


def read_until(stream: IO[str] | None, words: str) -> None:
    assert stream
    for line in stream:
        if words in line:
            return
    raise AssertionError(f"{words!r} was never said")


def test_a_push_at_work_is_followed_cancelled_and_leaves_nothing(paas: Instance, shop: Git) -> None:
    before = paas.containers()
    write(shop, "slow", {"scripts": {"dokku": {"predeploy": "echo begun; sleep 3600"}}})
    push = subprocess.Popen(
        ["git", "push", "paas", "master"],
        cwd=shop.tree,
        env=shop.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    read_until(push.stderr, "Predeploy command")
    follow = [*shop.ssh.command, "deploys:log", "shop", "--follow"]
    follower = subprocess.Popen(follow, stdout=subprocess.PIPE, text=True)
    read_until(follower.stdout, "begun")
    cancelled = shop.ssh.run("deploys:cancel", "shop")
    assert cancelled.returncode == 0, cancelled.stderr
    assert "Cancelled by anna" in push.communicate(timeout=30)[1]
    assert push.returncode != 0
    assert "Cancelled by anna" in follower.communicate(timeout=30)[0]
    assert follower.returncode == 0
    assert version(paas) == "four"
    assert paas.containers() == before
    info = json.loads(shop.ssh.run("deploys:info", "shop", "--format", "json").stdout)
    assert (info["state"], info["cancelled_by"]) == ("cancelled", "anna")
    assert shop.ssh.run("deploys:cancel", "shop").returncode == 1


def test_releases_are_compared_without_values(shop: Git) -> None:
    assert shop.ssh.run("config:set", "shop", "COLOUR=secretred").returncode == 0
    shown = shop.ssh.run("releases:diff", "shop").stdout
    assert "+ COLOUR" in shown
    assert "secretred" not in shown
    newest = json.loads(shop.ssh.run("releases:list", "shop", "--format", "json").stdout)[0]
    changes = json.loads(
        shop.ssh.run("releases:diff", "shop", "v1", newest["version"], "--format", "json").stdout
    )
    subjects = [commit["subject"] for commit in changes["commits_added"]]
    assert subjects[0] == "four"
    assert subjects[-1] == "two"


def test_any_version_comes_back_within_moments_and_loses_nothing(paas: Instance, shop: Git) -> None:
    took = []
    with traffic(paas, clients=2) as seen:
        for wanted, expected in (("v1", "one"), ("v2", "two")):
            began = time.monotonic()
            done = shop.ssh.run("releases:rollback", "shop", wanted)
            took.append(time.monotonic() - began)
            assert done.returncode == 0, done.stderr
            assert version(paas) == expected
    assert seen.failures == []
    assert "ps:rebuild shop" in done.stdout
    info = json.loads(shop.ssh.run("deploys:info", "shop", "--format", "json").stdout)
    steps = " ".join(f"{step['state']} {step['seconds']:.2f}" for step in info["steps"])
    print("rollback:", ", ".join(f"{seconds:.2f} s" for seconds in took), f"({steps})")


def test_what_is_not_kept_is_gone_and_says_what_is_possible(paas: Instance, shop: Git) -> None:
    assert shop.ssh.run("releases:set", "shop", "retention", "2").returncode == 0
    done = shop.ssh.run("releases:rollback", "shop", "v1")
    assert done.returncode == 20
    assert "Possible: v" in done.stderr
    report = json.loads(shop.ssh.run("releases:report", "shop", "--format", "json").stdout)
    assert (report["kept"], len(report["possible"])) == (2, 1)


def test_a_process_that_says_it_is_sick_is_restarted(paas: Instance, shop: Git) -> None:
    check = {"type": "liveness", "path": "/live", "attempts": 2, "wait": 1}
    write(shop, "five", {"healthchecks": {"web": [check]}, "formation": {"web": {"quantity": 1}}})
    shop.push()
    assert shop.ssh.run("ps:scale", "shop", "web=2").returncode == 1
    paas.curl("shop", "/break")
    assert paas.status("shop", "/live") == 500
    deadline = time.monotonic() + 30
    while paas.status("shop", "/live") != 200:
        assert time.monotonic() < deadline, (paas.root / "log" / "paas.log").read_text()[-2000:]
        time.sleep(0.2)
    logged = shop.ssh.run("logs", "shop").stdout
    assert "web.1 answered 500 on /live: restarting it" in logged


def test_a_push_that_does_not_wait_is_followed_by_its_log(paas: Instance, shop: Git) -> None:
    before = version(paas)
    write(shop, "unattended", {"scripts": {"dokku": {"predeploy": "sleep 3"}}})
    done = shop.push("-o", "no-wait", "master")
    assert "Deploying without you" in done.stderr
    assert version(paas) == before
    assert "Deployed shop" in shop.ssh.run("deploys:log", "shop", "--follow").stdout
    assert version(paas) == "unattended"
    assert "Everything up-to-date" in shop.push().stderr
