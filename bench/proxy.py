"""Requests per second through our vhost, and through a minimal one to the same container."""

import contextlib
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import docker

from bench.live import answer_of, wait_until
from bench.measure import Row, in_turns, ratios
from tests.journeys.instance import Instance, free_ports

CONF = Path(__file__).parent / "floor" / "proxy.conf"
RATE = re.compile(r"Requests per second:\s+([0-9.]+)")
ALL_GOOD = re.compile(r"Failed requests:\s+0\n(?!.*Non-2xx)", re.DOTALL)
APP = "fast"
# Each request is a connection to the app, whose port stays taken for a minute. With 14116 taken
# (every second one) Linux begins to search, and the search is all that is measured from then on.
REQUESTS = 1200
PAUSE = 6.0


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return both rates and their ratio. The app is a single-threaded server in C."""
    assert shutil.which("ab"), "ab is missing: apt-get install apache2-utils"
    instance.app(APP, "docker-two-stage").push()
    wait_until(lambda: answer_of(instance, APP).startswith("Hello"), "no answer")
    host = f"{APP}.{instance.domain}"
    with minimal_nginx(instance) as port:
        ours, bare = in_turns(
            4 if quick else 24,
            lambda _: load(instance.http_port, host),
            lambda _: load(port, host, PAUSE),
        )
    note = f"ab -k, 16 connections, {REQUESTS} requests per turn, loopback"
    return [
        Row("requests through our vhost", ours, "/s", note=note),
        Row("requests through a minimal nginx vhost", bare, "/s", note="the same container"),
        Row("ours / minimal", ratios(ours, bare), "x", 0.95, at_least=True, note="turn by turn"),
    ]


def load(port: int, host: str, pause: float = 0.0) -> float:
    """Return requests per second, after a pause. Raises when one failed."""
    time.sleep(pause)
    argv = ["ab", "-q", "-k", "-n", str(REQUESTS), "-c", "16", "-H", f"Host: {host}"]
    argv.append(f"http://127.0.0.1:{port}/")
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120).stdout
    assert ALL_GOOD.search(said), said
    found = RATE.search(said)
    assert found, said
    return float(found[1])


@contextlib.contextmanager
def minimal_nginx(instance: Instance) -> Iterator[int]:
    """Run an nginx with the hand-written vhost; yield its port."""
    folder = instance.root / "minimal"
    folder.mkdir()
    (port,) = free_ports(1)
    text = CONF.read_text().replace("FOLDER", str(folder))
    text = text.replace("ADDRESS", container_address(instance)).replace("PORT", str(port))
    (folder / "nginx.conf").write_text(text)
    process = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")])
    try:
        wait_until((folder / "nginx.pid").exists, "the minimal nginx does not start")
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def container_address(instance: Instance) -> str:
    """Return address:port of the app's container."""
    (name,) = (n for n in instance.containers() if n.startswith(f"{instance.id}-{APP}."))
    with contextlib.closing(docker.APIClient()) as engine:
        made = engine.inspect_container(name)
    (network,) = made["NetworkSettings"]["Networks"].values()
    environ = dict(line.split("=", 1) for line in made["Config"]["Env"])
    return f"{network['IPAddress']}:{environ['PORT']}"
