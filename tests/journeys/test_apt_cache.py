"""Debian packages are fetched once per host: the second build takes them from the cache."""

import contextlib
from collections.abc import Iterator

import docker
import pytest

from paas.settings import load
from tests.contracts.apt_cache_log import apt_cache_log
from tests.journeys.instance import Instance, free_ports, running
from tests.journeys.programs import Git
from tests.journeys.test_hard_times import until

PACKAGE = "figlet"


@pytest.fixture(scope="module")
def paas() -> Iterator[Instance]:
    [port] = free_ports(1)
    with running(apt_cache="managed", apt_cache_port=str(port)) as instance:
        yield instance


@pytest.fixture(scope="module")
def banner(paas: Instance) -> Git:
    return paas.app("banner", "docker-apt")


def push_anew(banner: Git) -> str:
    """Push with apt at work, also where the engine has built the same before; return the output."""
    banner.commit("again")
    return banner.push("-o", "no-cache", "master").stderr


def wait_for(paas: Instance, ways: list[str]) -> None:
    """Wait until the cache has written its log: it does so some time after it served."""
    until(lambda: came(paas) >= ways, f"{PACKAGE} came as {ways}")
    assert came(paas) == ways


def came(paas: Instance) -> list[str]:
    """Return how the package came, in the cache's own words: I from the mirror, O to a build."""
    lines = apt_cache_log(load(paas.environ))
    return [way for _, way, _, _, file in lines if f"/{PACKAGE}_" in file]


def test_the_first_build_fetches_the_package_through_the_cache(paas: Instance, banner: Git) -> None:
    push_anew(banner)
    wait_for(paas, ["I", "O"])
    assert paas.status("banner") == 200


def test_the_next_build_takes_it_from_the_cache(paas: Instance, banner: Git) -> None:
    push_anew(banner)
    wait_for(paas, ["I", "O", "O"])  # delivered twice, brought from the mirror once


def test_with_the_cache_stopped_builds_go_on_and_say_so(paas: Instance, banner: Git) -> None:
    with contextlib.closing(docker.APIClient()) as engine:
        engine.stop(f"{paas.id}-apt-cache", timeout=2)
    assert "apt cache" in push_anew(banner)
    assert paas.status("banner") == 200
