"""A real engine with a hostile image: root, setuid, VOLUME, labels of another app, HEALTHCHECK."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import docker
import pytest

from paas.model import SecurityOptions
from paas.schedulers.base import ProcessSpec
from paas.schedulers.docker_local import DockerLocal
from tests.contracts.engines import ENGINES, stack_image
from tests.schedulers.specs import APP, make_settings, make_spec

MAKE = (
    "cp /usr/bin/id /id-as-root; chmod 4755 /id-as-root; mkdir /world; chmod 777 /world;"
    " rmdir /tmp; ln -s /etc /linked; mkdir -p /deep; ln -s /usr /deep/link"
)
HOSTILE = [
    "USER root",
    "VOLUME /data",
    "LABEL paas.app=victim paas.instance=paas",
    "HEALTHCHECK CMD exit 1",
    'ENTRYPOINT ["/bin/false"]',
    "ENV PORT=1 HOME=/root",
]


@dataclass(frozen=True)
class Prison:
    """Runs commands of the hostile image behind our walls."""

    scheduler: DockerLocal
    image: str
    run_command: Callable[[ProcessSpec], tuple[int, str]]

    def run(self, command: str, options: SecurityOptions | None = None) -> tuple[int, str]:
        return self.run_command(self.spec(command, options))

    def spec(self, command: str, options: SecurityOptions | None = None) -> ProcessSpec:
        return make_spec(command, self.image, options, volumes=("/data",))


@pytest.fixture(scope="module", params=ENGINES, ids=lambda url: url.rpartition("/")[2])
def prison(request: pytest.FixtureRequest) -> Iterator[Prison]:
    scheduler = DockerLocal(make_settings(request.param))
    image = _hostile_image(request.param)

    def run(spec: ProcessSpec) -> tuple[int, str]:
        output: list[bytes] = []
        ended = scheduler.run_once(spec, output.append, timeout=60)
        return ended.status, b"".join(output).decode()

    try:
        yield Prison(scheduler, image, run)
    finally:
        scheduler.destroy(APP)
        with contextlib.closing(docker.APIClient(request.param)) as engine:
            engine.remove_image(image)
        scheduler.close()


def _hostile_image(url: str) -> str:
    with contextlib.closing(docker.APIClient(url)) as engine:
        host = engine.create_host_config(network_mode="none")
        made = engine.create_container(
            stack_image(url), ["sh", "-c", MAKE], host_config=host, stop_signal="SIGKILL"
        )
        engine.start(made["Id"])
        assert engine.wait(made["Id"])["StatusCode"] == 0
        name = f"{make_settings().instance}/hostile"
        image = engine.commit(made["Id"], name, "1", changes="\n".join(HOSTILE))
        engine.remove_container(made["Id"], v=True)
    return str(image["Id"])
