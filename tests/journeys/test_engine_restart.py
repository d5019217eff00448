"""An engine stops and starts while paas is not there; then while it is: processes serve again.

The engine is the test's own, in a container: nobody else's is touched. Its containers cannot be
reached from this host, so they are asked from inside.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest

from paas.background import Ears
from paas.crew import Job, run_here
from paas.engine_api import api_version
from paas.errors import PaasError
from paas.model import (
    LOCAL_ADMIN,
    Candidate,
    Container,
    DeployState,
    Image,
    ProcessState,
    ProcessType,
)
from paas.platform import Platform
from paas.reconcile import Reconciler
from paas.schedulers.base import ProcessSpec, Streams
from paas.schedulers.docker_local import DockerLocal
from paas.state.store import SqliteStore
from tests.contracts.engines import stack_image
from tests.nested_engine import nested_engine
from tests.world import make_world

WAIT = 120.0
SERVES = "exec python3 -m http.server $PORT"
ASK = ("python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:5000/')")
APPS = 3


@dataclass(frozen=True)
class Nested:
    """Apps on an engine of the test's own; `box` is the container that the engine lives in."""

    platform: Platform
    box: str
    address: str

    def rows(self) -> tuple[Container, ...]:
        return self.platform.store.containers.list()

    def serves(self, row: Container) -> bool:
        try:
            return self.platform.scheduler.exec(row.id, ASK, Streams(None, 2, 2)) == 0
        except PaasError:
            return False

    def all_serve(self) -> bool:
        return all(self.serves(row) for row in self.rows())

    def answers(self) -> bool:
        try:
            return bool(api_version(self.address, 5))
        except OSError:
            return False


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nested]:
    root = tmp_path_factory.mktemp("nested")
    with nested_engine() as address, make_world(root) as world:
        nowhere = Path("/nowhere")
        settings = replace(
            world.settings, engine=address, network="10.77.0.0/16", ca_bundle=nowhere
        )
        scheduler, store = DockerLocal(settings), SqliteStore(settings)
        platform = replace(world.platform, settings=settings, scheduler=scheduler, store=store)
        made = Nested(platform, box_of(address), address)
        image = stack_image(address)
        for number in range(APPS):
            deploy(platform, f"app{number}", image)
        until(made.all_serve, "all serve at first")
        yield made
        scheduler.close()
        store.close()


def box_of(address: str) -> str:
    """Return the container whose folder holds this socket."""
    folder = str(Path(address.removeprefix("unix://")).parent)
    with contextlib.closing(docker.APIClient()) as outer:
        for found in outer.containers(filters={"label": "paas.test=nested-engine"}):
            if any(mount["Source"] == folder for mount in found["Mounts"]):
                return str(found["Id"])
    raise AssertionError("the nested engine has no container")


def deploy(platform: Platform, name: str, image: str) -> None:
    """Do what a deploy does, as far as processes are concerned."""
    app = platform.store.apps.create(name)
    record = platform.store.deploys.start(app.id, LOCAL_ADMIN, "push", None, None)
    row = platform.store.containers.reserve(app, record.id, "web", 1, 5000)
    spec = ProcessSpec(app, record.id, "web", 1, image, SERVES, {}, 5000, row.address)
    started = platform.store.containers.started(row, platform.scheduler.start(spec))
    web = (ProcessType("web", SERVES),)
    candidate = Candidate(Image(image, 1), web, {}, 5000, None, "")
    platform.store.deploys.commit(record.id, candidate, [started])
    platform.scheduler.keep([started.id])
    platform.store.deploys.advance(record.id, DeployState.DONE)


def until(true: Callable[[], bool], what: str) -> float:
    started = time.monotonic()
    while not true():
        assert time.monotonic() - started < WAIT, what
        time.sleep(0.2)
    return time.monotonic() - started


def is_deaf(ears: Ears) -> bool:
    """Whether the stream of events has ended; what it still had to say is heard."""
    with contextlib.suppress(PaasError):
        ears.ready()
    return ears.fileno() < 0


def restart(nested: Nested) -> None:
    """Stop the engine in order, with all that it runs, and start it again."""
    with contextlib.closing(docker.APIClient()) as outer:
        outer.stop(nested.box, timeout=30)
        assert not nested.answers()
        outer.start(nested.box)
    until(nested.answers, "the engine answers again")


def test_without_paas_processes_serve_again_after_an_engine_restart(nested: Nested) -> None:
    before = nested.rows()
    restart(nested)
    took = until(nested.all_serve, "all serve without help")
    print(f"all serve {took:.1f} s after the engine answers")
    assert nested.rows() == before


def test_paas_notices_and_mends_what_the_engine_did_not_bring_back(nested: Nested) -> None:
    platform = nested.platform
    jobs: list[Job] = []  # done when the engine is back: while it is away they can do nothing
    ears = Ears(platform, Reconciler(platform, submit=jobs.append))
    ears.open()
    stopped, removed, *_ = nested.rows()
    with contextlib.closing(docker.APIClient(nested.address)) as inner:
        inner.stop(stopped.id, timeout=1)
        inner.remove_container(removed.id, force=True)
    with contextlib.closing(docker.APIClient()) as outer:
        outer.stop(nested.box, timeout=30)
        until(lambda: is_deaf(ears), "paas notices that the engine is gone")
        outer.start(nested.box)
    until(nested.answers, "the engine answers again")
    jobs.clear()
    ears.open()
    run_here(jobs)
    until(nested.all_serve, "all serve")
    assert [row.trouble for row in nested.rows()] == [""] * APPS
    assert nested.rows()[0].id == stopped.id
    seen = {c.id: c.state for c in platform.scheduler.containers()}
    assert seen == dict.fromkeys((row.id for row in nested.rows()), ProcessState.RUNNING)
    ears.close()
