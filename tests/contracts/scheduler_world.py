"""The schedulers under test, and what the tests do around them: the fake one, and Docker Engine."""

import os
import signal
from dataclasses import dataclass
from typing import Protocol

import docker
from docker.errors import ImageNotFound

from paas.model import App
from paas.network import SharedNetwork
from paas.schedulers.base import Listener, ProcessSpec, Scheduler
from paas.schedulers.docker_local import DockerLocal
from paas.settings import Settings
from tests import claims
from tests.claims import loopback_network
from tests.contracts.engines import stack_image
from tests.fakes.engine import Program
from tests.fakes.scheduler import FakeScheduler

SLEEPS = "exec sleep 600"
SPEAKS = "echo one; sleep 0.1; echo two >&2; exec sleep 600"
COLOURS = r"printf 'a\n\033[31mred\033[0m\033]0;title\007\n'; exec sleep 600"
LATER = "echo early; sleep 1; echo late; sleep 1"
EXITS = "echo oops; exit 3"
BAKES = "echo baked"
EATS = "sleep 0.5; tail /dev/zero; exit 5"  # the engine listens a moment after the start
IGNORES_TERM = "trap '' TERM; while :; do sleep 0.1; done"
LISTENS = (
    'exec python3 -c \'import socket,time; s=socket.create_server(("127.0.0.1",8000));'
    " time.sleep(600)'"
)
NOTHING = "sha256:" + "0" * 64
SENT = bytes(range(256)) * 2000


@dataclass(frozen=True)
class World:
    """A scheduler under test and what the tests need around it."""

    scheduler: Scheduler
    image: str
    settings: Settings
    by_hand: "ByHand"

    def spec(self, command: str, slot: int = 1, process_type: str = "web") -> ProcessSpec:
        address = str(self.settings.subnet(APP.network_index)[2 + slot])
        return ProcessSpec(
            APP, 1, process_type, slot, self.image, command, {"A": "b"}, 5000, address
        )

    def start(self, command: str, slot: int = 1) -> str:
        return self.scheduler.start(self.spec(command, slot))


class ByHand(Protocol):
    """What somebody does with the engine behind the scheduler's back."""

    def crash(self, container_id: str) -> None: ...
    def stop_by_hand(self, container_id: str) -> None: ...
    def pause_by_hand(self, container_id: str) -> None: ...
    def rename_by_hand(self, container_id: str, name: str) -> None: ...
    def unlink_by_hand(self, container_id: str, network: str) -> None: ...
    def remove_by_hand(self, container_id: str) -> None: ...
    def has_image(self, image: str) -> bool: ...
    def remove_image(self, image: str) -> None: ...
    def close(self) -> None: ...


class EngineByHand:
    """Docker's own client."""

    def __init__(self, scheduler: DockerLocal, url: str) -> None:
        self._scheduler = scheduler
        self._engine = docker.APIClient(url)

    def crash(self, container_id: str) -> None:
        os.kill(self._scheduler.inspect(container_id).pid, signal.SIGKILL)

    def stop_by_hand(self, container_id: str) -> None:
        self._engine.stop(container_id, timeout=1)

    def pause_by_hand(self, container_id: str) -> None:
        self._engine.pause(container_id)

    def rename_by_hand(self, container_id: str, name: str) -> None:
        self._engine.rename(container_id, name)

    def unlink_by_hand(self, container_id: str, network: str) -> None:
        name = f"ct{RUN:x}-net-{network}"
        self._engine.disconnect_container_from_network(container_id, name)

    def remove_by_hand(self, container_id: str) -> None:
        self._engine.remove_container(container_id, force=True)

    def has_image(self, image: str) -> bool:
        try:
            self._engine.inspect_image(image)  # type: ignore[no-untyped-call] # docker's stubs
        except ImageNotFound:
            return False
        return True

    def remove_image(self, image: str) -> None:
        self._engine.remove_image(image)

    def close(self) -> None:
        self._scheduler.close()
        self._engine.close()


# Names and ranges of this run alone: two runs may share an engine.
RUN = claims.block()
APP = App(1, "shop", RUN, 0.0)
SHARED = SharedNetwork(1, "backend", 2044 - 4 * RUN, None, 0.0)


def fake_world() -> World:
    programs: dict[str | None, Program] = {
        SLEEPS: Program(status=None),
        SPEAKS: Program(("one",), ("two",), status=None),
        COLOURS: Program(("a", "\x1b[31mred\x1b[0m\x1b]0;title\x07"), status=None),
        LATER: Program(("early", "late"), exit_code=0),
        LISTENS: Program(status=None, listens=(Listener("127.0.0.1", 8000),)),
        BAKES: Program(("baked",), exit_code=0),
        EXITS: Program(("oops",), exit_code=3),
        EATS: Program(exit_code=5, oom_killed=True),
        IGNORES_TERM: Program(status=None),
    }
    scheduler = FakeScheduler("ctfake", programs)
    image = "sha256:" + "1" * 64
    scheduler.images = {image}
    settings = Settings(instance="ctfake", network=loopback_network())
    return World(scheduler, image, settings, scheduler)


def engine_world(url: str) -> World:
    settings = Settings(
        instance=f"ct{RUN:x}", engine=url, network="10.201.0.0/16", services="10.202.0.0/16"
    )
    scheduler = DockerLocal(settings)
    return World(scheduler, stack_image(url), settings, EngineByHand(scheduler, url))


def fake_down() -> World:
    made = fake_world()
    assert isinstance(made.scheduler, FakeScheduler)
    made.scheduler.is_down = True
    return made


def engine_down() -> World:
    settings = Settings(instance="ctdown", engine="unix:///nowhere/docker.sock")
    by_hand = FakeScheduler("ctdown")  # nobody's hand reaches an engine that is not there
    return World(DockerLocal(settings), NOTHING, settings, by_hand)
