"""Commands as a person types them: over a cold ssh connection, and on the host."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from bench.apps import STATIC_SERVER
from bench.live import LiveApp
from bench.measure import Row, Sample, in_turns, time_call
from tests.journeys.instance import CHECKOUT, Instance, free_ports
from tests.journeys.programs import Ssh

SSH_FLOOR = Path(__file__).parent / "floor" / "ssh_answer.py"


def run(argv: Sequence[str], environ: dict[str, str] | None = None) -> float:
    """Return the milliseconds a program takes. Raises when it fails."""

    def call() -> None:
        # With pipes, for without them a timeout makes Python look every 50 ms whether it has ended.
        subprocess.run(argv, env=environ, cwd=CHECKOUT, capture_output=True, check=True, timeout=60)

    return 1000 * time_call(call)


@contextlib.contextmanager
def bare_ssh(user: Ssh) -> Iterator[list[str]]:
    """Yield the command line that reaches a bare paramiko server with the same client and key."""
    (port,) = free_ports(1)
    server = subprocess.Popen([sys.executable, SSH_FLOOR, str(port)])
    try:
        argv = [word if word != str(user.port) else str(port) for word in user.command]
        argv = [w.replace("accept-new", "no").replace("known_hosts", "other_hosts") for w in argv]
        deadline = time.monotonic() + 20
        while subprocess.run([*argv, "x"], capture_output=True, check=False, timeout=20).returncode:
            assert time.monotonic() < deadline, "the bare ssh server does not answer"
            time.sleep(0.1)
        yield [*argv, "x"]
    finally:
        server.kill()
        server.wait()


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return a row per command and way in, and the floors."""
    app = LiveApp(instance, "cli", STATIC_SERVER, {"requirements.txt": ""})
    app.deploy("one")
    instance.paas("config:set", "--no-restart", app.name, "COLOUR=blue")
    commands = (["apps:list"], ["config:get", app.name, "COLOUR"], ["ps:report", app.name])
    rounds = 5 if quick else 30
    paas = [sys.executable, "-m", "paas"]
    with bare_ssh(instance.ssh) as bare:
        over_ssh = in_turns(
            rounds,
            *(partial(_timed, [*instance.ssh.command, *argv], None) for argv in commands),
            partial(_timed, bare, None),
        )
    on_host = in_turns(
        rounds,
        *(partial(_timed, [*paas, *argv], instance.environ) for argv in commands),
        partial(_timed, [sys.executable, "-c", "pass"], None),
    )
    names = [argv[0] for argv in commands]
    return [
        *_rows(names, "over a cold ssh connection", over_ssh, 120, "a bare paramiko server"),
        *_rows(names, "on the host", on_host, 60, "`python -c pass`"),
    ]


def _timed(argv: Sequence[str], environ: dict[str, str] | None, _round: int) -> float:
    return run(argv, environ)


def _rows(
    names: Sequence[str], way: str, samples: Sequence[Sample], limit: float, floor: str
) -> list[Row]:
    rows = [
        Row(f"`{name}` {way}", sample, "ms", limit)
        for name, sample in zip(names, samples, strict=False)
    ]
    return [*rows, Row(f"its floor: {floor}", samples[-1], "ms")]
