"""Whatever happens to an app's containers by hand, by crash or by paas's own death ends well."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from tests.journeys.instance import Instance
from tests.journeys.programs import Git
from tests.journeys.test_first_push import write_version

WAIT = 120.0


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.APIClient]:
    with contextlib.closing(docker.APIClient()) as client:
        yield client


@pytest.fixture(scope="module")
def shop(paas: Instance) -> Git:
    git = paas.app("shop")
    write_version(git, "one")
    git.push()
    return git


def until(true: Callable[[], bool], what: str) -> float:
    """Wait until something is true; return how long it took."""
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < WAIT, what
        time.sleep(0.1)
    return time.monotonic() - started


def serves(paas: Instance, app: str = "shop") -> bool:
    return paas.status(app) == 200


def container(paas: Instance, engine: docker.APIClient, app: str = "shop") -> dict[str, str]:
    """Return the app's one container, running or not."""
    label = [f"paas.instance={paas.id}", f"paas.app={app}"]
    [found] = engine.containers(all=True, filters={"label": label})
    return {"id": found["Id"], "name": found["Names"][0].lstrip("/"), "state": found["State"]}


def is_as_before(now: dict[str, str], before: dict[str, str]) -> bool:
    """Whether it runs under its name; the engine's list tells so a moment after it is true."""
    return now["name"] == before["name"] and now["state"] == "running"


DAMAGES: dict[str, Callable[[docker.APIClient, str], object]] = {
    "stopped": lambda engine, it: engine.stop(it, timeout=1),
    "killed": lambda engine, it: engine.kill(it),
    "removed": lambda engine, it: engine.remove_container(it, force=True),
    "paused": lambda engine, it: engine.pause(it),
    "renamed": lambda engine, it: engine.rename(it, f"mine-{it[:12]}"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_container_damaged_by_hand_comes_back_by_the_engine_s_events(
    paas: Instance, shop: Git, engine: docker.APIClient, damage: str
) -> None:
    until(lambda: serves(paas), "it serves before")
    before = container(paas, engine)
    DAMAGES[damage](engine, before["id"])
    took = until(
        lambda: serves(paas) and is_as_before(container(paas, engine), before),
        f"it serves and runs under its name after it was {damage}",
    )
    print(f"{damage}: back after {took:.1f} s")
    assert "web.1 was" in shop.ssh.run("logs", "shop").stdout


def test_a_container_taken_off_its_network_is_made_anew(
    paas: Instance, shop: Git, engine: docker.APIClient
) -> None:
    before = container(paas, engine)
    networks = engine.inspect_container(before["id"])["NetworkSettings"]["Networks"]
    engine.disconnect_container_from_network(before["id"], next(iter(networks)), force=True)
    until(lambda: not serves(paas), "it is cut off")
    paas.paas("stop")
    paas.paas("start")  # a whole pass, which comes every minute too
    until(lambda: serves(paas), "it serves again")


def test_a_container_that_nobody_wants_is_removed(
    paas: Instance, shop: Git, engine: docker.APIClient
) -> None:
    image = engine.inspect_container(container(paas, engine)["id"])["Image"]
    labels = {"paas.instance": paas.id}
    made = engine.create_container(image, ["true"], name=f"{paas.id}-old.web.1.999", labels=labels)
    paas.paas("stop")
    paas.paas("start")
    until(lambda: len(paas.containers()) == 1, f"{made['Id']} is removed")
    assert serves(paas)


def test_a_daemon_that_is_killed_with_its_background_leaves_nothing_undone(
    paas: Instance, shop: Git, engine: docker.APIClient
) -> None:
    daemon = int((paas.root / "run" / "paas.pid").read_text().split()[0])
    children = Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
    for pid in (daemon, *map(int, children)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert serves(paas)
    engine.remove_container(container(paas, engine)["id"], force=True)
    paas.paas("start")
    until(lambda: serves(paas), "what was removed meanwhile is back")


def test_keys_are_written_anew_when_the_daemon_starts(paas: Instance, shop: Git) -> None:
    keys = paas.root / "door" / "authorized_keys"
    before = keys.read_text()
    paas.paas("stop")
    keys.unlink()
    paas.paas("start")
    until(keys.exists, "the keys are there")
    assert keys.read_text() == before
    assert shop.ssh.run("apps:list").returncode == 0


FLAPS = """import os, sys, time
print("up", flush=True)
time.sleep(0.2)
sys.exit(int(os.environ["CODE"]))
"""


@pytest.mark.parametrize("code", ["0", "1"])
def test_a_worker_that_keeps_crashing_is_restarted_by_paas_and_can_be_parked(
    paas: Instance, engine: docker.APIClient, code: str
) -> None:
    app = f"flap{code}"
    git = paas.app(app)
    git.write("worker.py", FLAPS.replace("time.sleep(0.2)", "time.sleep(2)"))
    git.write("requirements.txt", "")
    git.write("Procfile", "worker: python3 worker.py\n")
    git.commit()
    paas.paas("apps:create", app)
    paas.paas("config:set", app, f"CODE={code}")
    git.push()
    until(lambda: "is started again in 4 s" in git.ssh.run("logs", app).stdout, "pauses grow")
    report = git.ssh.run("ps:report", app)
    assert f"exited with code {code}" in report.stderr
    policy = engine.inspect_container(container(paas, engine, app)["id"])["HostConfig"]
    assert policy["RestartPolicy"]["Name"] == "no"
    paas.paas("apps:destroy", app, "--force")


def test_an_image_that_was_removed_is_built_again(
    paas: Instance, shop: Git, engine: docker.APIClient
) -> None:
    seen = container(paas, engine)
    image = engine.inspect_container(seen["id"])["Image"]
    paas.paas("stop")
    engine.remove_container(seen["id"], force=True)
    engine.remove_image(image, force=True)
    paas.paas("start")
    until(lambda: serves(paas), "it is built and serves")
    assert "image was gone" in shop.ssh.run("releases:list", "shop").stdout
    assert "its image is gone; it is built again" in shop.ssh.run("logs", "shop").stdout


def test_a_data_root_whose_disk_is_not_mounted_costs_no_app(
    paas: Instance, shop: Git, engine: docker.APIClient
) -> None:
    before = container(paas, engine)
    paas.paas("stop")
    files, aside = list(paas.root.glob("paas.db*")), paas.root / "aside"
    aside.mkdir()
    for file in files:
        file.rename(aside / file.name)
    assert "Is its disk mounted?" in paas.paas("start", check=False).stderr
    assert "no database" in paas.paas("doctor", check=False).stderr
    assert "containers of its apps" in paas.paas("setup", check=False).stderr
    assert not list(paas.root.glob("paas.db*"))
    for file in files:
        (aside / file.name).rename(file)
    assert container(paas, engine) == before
    assert serves(paas)
    paas.paas("start")
    assert shop.ssh.run("apps:list").returncode == 0
