"""Parts of the host fail in the middle of a push: the engine, nginx, a vhost, a container."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker

from paas.model import Container, ContainerRole
from tests.faults.tally import Tally
from tests.faults.tripwires import Trap
from tests.faults.world import World, children_of, state_of, wait_for
from tests.journeys.instance import start_nginx

SLOW_BUILD = 'FROM paas/stack\nRUN sleep 2 # {}\nCOPY app.py .\nCMD ["python3", "app.py"]\n'
ENGINE_LINES = (
    "before build",
    "before create",
    "after create",
    "before advance healthy",
    "before commit",
    "after commit",
    "before keep containers",
    "after keep containers",
)
NGINX_LINES = ("before build", "before keep", "after commit", "after switch")


def await_stopped(trap: Trap, line: str) -> int:
    """Wait until somebody stands at the line; return its pid."""
    wait_for(lambda: trap.caught() is not None, lambda: f"nobody came along: {line}", 60)
    pid = trap.caught()
    assert pid is not None
    wait_for(lambda: state_of(pid) == "T", lambda: f"{pid} did not stop", 5)
    return pid


@contextlib.contextmanager
def stopped_at(trap: Trap, line: str) -> Iterator[int]:
    """Let who comes along the line wait there while the body runs; yield its pid."""
    pid = await_stopped(trap, line)
    try:
        yield pid
    finally:
        trap.clear()
        os.kill(pid, signal.SIGCONT)


def engine_away(world: World, *, quick: bool) -> Tally:
    """Cut the engine off at lines of the deploy, and in the middle of a build; plug it in later."""
    tally = Tally("engine gone in a deploy")
    with tally.attempt("in the middle of a build"):
        version = world.commit(Dockerfile=SLOW_BUILD.format(time.time()))
        before = world.answer()
        client = world.push()
        assert client.stderr is not None
        for said in client.stderr:
            if "Building" in said:
                break
        time.sleep(1)
        _without_engine(world, tally, client, (before, version))
        world.git.git("rm", "-q", "Dockerfile")
    for line in ("before create", "after commit") if quick else ENGINE_LINES:
        with tally.attempt(line):
            before, version = world.answer(), world.commit()
            world.trap.set(line, signal.SIGSTOP)
            client = world.push()
            with stopped_at(world.trap, line):
                world.cable.cut()
            _without_engine(world, tally, client, (before, version), is_cut=True)
    return tally


def _without_engine(
    world: World,
    tally: Tally,
    client: subprocess.Popen[str],
    either: tuple[str, str],
    *,
    is_cut: bool = False,
) -> None:
    """Cut the engine off if it is there, let the push end, look, plug it in, look again."""
    if not is_cut:
        assert client.poll() is None, "the push was over before"
        world.cable.cut()
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        assert probe.connect_ex(str(world.cable.path)), "the engine still answers"
    tally.hit()
    said = client.communicate(timeout=120)[1]
    try:
        assert "Traceback" not in said, said
        if not client.returncode:  # behind the switch: recovery does what follows
            assert "It is live" in said or "Deployed" in said, said
            either = (either[1], either[1])
        assert world.answer() in either, f"{world.answer()!r} answers without the engine"
    finally:
        world.cable.plug()
    tally.seconds.append(world.await_whole())
    assert world.answer() in either, f"{world.answer()!r} answers, not one of {either}"
    world.prove_next_push()


def nginx_killed(world: World, *, quick: bool) -> Tally:
    """Kill nginx, master and workers, at lines of a deploy; somebody starts it again later."""
    tally = Tally("nginx killed in a deploy")
    for line in NGINX_LINES[2:3] if quick else NGINX_LINES:
        with tally.attempt(line), world.visitor.resting():
            before, version = world.answer(), world.commit()
            world.trap.set(line, signal.SIGSTOP)
            client = world.push()
            with stopped_at(world.trap, line):
                _kill_nginx(world)
                assert world.instance.status("shop") == 0, "somebody still answers"
                tally.hit()
            said = client.communicate(timeout=120)[1]
            start_nginx(world.instance)
            assert "Traceback" not in said, said
            if client.returncode:
                assert "nginx is not running" in said, said
            tally.seconds.append(world.await_whole())
            assert world.answer() == (before if client.returncode else version)
            world.prove_next_push()
    return tally


def _kill_nginx(world: World) -> None:
    nginx = world.instance.nginx
    assert nginx is not None
    family = [nginx.pid, *children_of(nginx.pid)]
    for pid in family:
        os.kill(pid, signal.SIGKILL)
    nginx.wait(10)
    wait_for(lambda: all(state_of(pid) in {"", "Z"} for pid in family), lambda: "nginx lives", 5)
    (world.instance.root / "nginx.pid").unlink()  # start_nginx() waits for the new one


def vhost_broken(world: World, *, quick: bool) -> Tally:
    """Drop a vhost that nginx refuses beside ours, and break the app's own."""
    tally = Tally("broken vhost dropped into sites/")
    sites = world.platform.settings.nginx / "sites"
    for name in ("shop.conf",) if quick else ("stray.conf", "shop.conf"):
        with tally.attempt(name):
            (sites / name).write_text("server { this is no directive\n")
            tested = subprocess.run(
                ["nginx", "-t", "-q", "-c", str(world.platform.settings.nginx_conf)],
                capture_output=True,
                check=False,
                timeout=30,
            )
            assert tested.returncode, "nginx takes it"
            tally.hit()
            world.prove_next_push()
            start = time.monotonic()
            world.instance.paas("stop")  # the next start is the next look at everything
            world.start_daemon()
            _await_mended(sites / name)
            world.await_whole()
            tally.seconds.append(time.monotonic() - start)
            world.prove_next_push()
    return tally


def _await_mended(file: Path) -> None:
    def is_whole() -> bool:
        return not file.exists() or "no directive" not in file.read_text()

    wait_for(is_whole, lambda: f"{file.name} is still broken")


def _current(world: World) -> list[Container]:
    rows = world.platform.store.containers.list()
    return [row for row in rows if row.role is ContainerRole.CURRENT]


def removed_by_hand(world: World, *, quick: bool) -> Tally:
    """Remove, kill, stop, rename and pause the current container behind paas's back."""
    tally = Tally("container removed, killed, stopped, renamed or paused by hand")
    deeds: dict[str, Callable[[docker.APIClient, str], object]] = {
        "removed": lambda engine, id_: engine.remove_container(id_, force=True),
        "killed": lambda engine, id_: engine.kill(id_),
        "stopped": lambda engine, id_: engine.stop(id_, timeout=1),
        "renamed": lambda engine, id_: engine.rename(id_, f"{world.instance.id}-lost"),
        "paused": lambda engine, id_: engine.pause(id_),
    }
    for name in ("removed",) if quick else deeds:
        world.await_whole()
        with tally.attempt(name), world.visitor.resting():
            version = world.answer()
            [row] = _current(world)
            with contextlib.closing(docker.APIClient(world.instance.engine)) as engine:
                deeds[name](engine, row.id)
            start = time.monotonic()
            tally.hit()
            world.await_whole()
            tally.seconds.append(time.monotonic() - start)
            assert world.answer() == version
            world.prove_next_push()
    return tally
