"""The connection to the engine: one, however much is asked."""

from pathlib import Path

import pytest

from paas.model import ProcessState
from paas.schedulers.docker_local import DockerLocal
from tests.schedulers.specs import make_settings

pytestmark = pytest.mark.engine


def test_asking_about_many_containers_opens_no_more_connections() -> None:
    scheduler = DockerLocal(make_settings())
    scheduler.containers()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(10):
        assert scheduler.inspect(f"nobody{number}").state is ProcessState.MISSING
    after = len(list(Path("/proc/self/fd").iterdir()))
    scheduler.close()
    assert after == before
