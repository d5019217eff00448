"""A client that goes on, but so slowly that its push would hold the repository for days."""

import os
import shlex
import subprocess
import threading
import time

import pytest

from paas.errors import SourceRefused
from paas.git.limits import KB, Limits
from paas.git.wire import Inlet
from tests.git import packs
from tests.git.conftest import ENVIRONMENT, Host

TREE = packs.tree()
COMMIT = packs.commit(packs.identity("tree", TREE))
REQUEST = packs.request(
    packs.identity("commit", COMMIT),
    packs.pack(packs.whole(1, COMMIT), packs.whole(2, TREE), packs.whole(3, os.urandom(6000))),
)
LIMITS = {"silence": 0.5, "grace": 1.0, "rate": 10 * KB}


@pytest.mark.parametrize("at_once", [20, 300])
def test_a_client_that_drips_is_told_why_it_is_let_go(host: Host, at_once: int) -> None:
    host.plan["limits"] = LIMITS
    command = [*shlex.split(host.ssh), "paas", "git-receive-pack '/shop'"]
    with subprocess.Popen(
        command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT
    ) as server:
        drip(server, REQUEST[:at_once], REQUEST[at_once:])
        assert server.stdout
        said = server.stdout.read()
        assert server.wait(30) == 1
    assert b"It comes too slowly: 0.0 MB in 0 minutes" in said
    assert b"a second more for each 10 KB" in said
    assert (host.refs(), host.quarantines(), host.journal("deploy")) == ({}, [], [])


def drip(server: "subprocess.Popen[bytes]", at_once: bytes, rest: bytes) -> None:
    """Send something at once and then a byte now and then, until nobody takes it."""
    assert server.stdin
    try:
        server.stdin.write(at_once)
        for place in range(len(rest)):
            server.stdin.write(rest[place : place + 1])
            time.sleep(0.1)
    except BrokenPipeError:
        return


def test_what_a_client_brings_buys_it_time() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stdin, os.fdopen(writer, "wb", buffering=0) as client:
        inlet = Inlet(stdin, Limits(silence=10, grace=0.05, rate=100 * KB))
        client.write(bytes(50 * KB))
        taken = 0
        while taken < 50 * KB:
            taken += len(inlet.read(4096))
        threading.Timer(0.3, client.write, [b"x"]).start()
        assert inlet.read(4096) == b"x"
        with pytest.raises(SourceRefused, match="too slowly"):
            inlet.read(4096)
