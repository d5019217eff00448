"""A base image in a registry that wants a login: the host's owner stores it once."""

import contextlib
from collections.abc import Iterator

import docker
import pytest
from docker.errors import ImageNotFound

from tests.journeys.instance import Instance
from tests.journeys.programs import Git
from tests.journeys.test_first_push import APP
from tests.registry import PASSWORD, USER, Registry, run_registry

DOCKERFILE = """\
FROM {image} AS private
FROM paas/stack
WORKDIR /app
COPY --from=private /version.txt .
COPY app.py .
RUN sed -i "s/VERSION/$(cat version.txt)/" app.py
CMD ["python3", "app.py"]
"""


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    with run_registry() as registry:
        yield registry


@pytest.fixture(scope="module")
def image(registry: Registry) -> Iterator[str]:
    name = registry.add_image("private/version:1", {"version.txt": "from-the-registry"})
    yield name
    with contextlib.closing(docker.APIClient()) as engine, contextlib.suppress(ImageNotFound):
        engine.remove_image(name, force=True)


@pytest.fixture(scope="module")
def shop(paas: Instance, image: str) -> Git:
    git = paas.app("shop")
    git.write("app.py", APP)
    git.write("Dockerfile", DOCKERFILE.format(image=image))
    git.commit("on a private base image")
    return git


def test_without_a_login_the_push_is_refused_with_what_is_missing(
    shop: Git, registry: Registry, image: str
) -> None:
    done = shop.push(check=False)
    assert done.returncode != 0
    assert f"{image} is in a registry inside the host's own network" in done.stderr
    assert f"registry:login {registry.address} USER" in done.stderr
    assert registry.requests == []


def test_a_wrong_password_is_not_taken_for_a_missing_one(
    paas: Instance, shop: Git, registry: Registry
) -> None:
    paas.paas("registry:login", registry.address, USER, text_in="wrong\n")
    done = shop.push(check=False)
    assert done.returncode != 0
    assert f"refused the login stored for {registry.address}" in done.stderr


def test_with_the_login_the_build_has_the_image(
    paas: Instance, shop: Git, registry: Registry
) -> None:
    paas.paas("registry:login", registry.address, USER, text_in=f"{PASSWORD}\n")
    said = shop.push().stderr
    assert PASSWORD not in said
    assert paas.curl("shop").stdout == "from-the-registry plain"


def test_the_password_is_shown_nowhere(paas: Instance, shop: Git, registry: Registry) -> None:
    report = paas.paas("registry:report").stdout
    assert f"{registry.address}: {USER}" in report
    assert PASSWORD not in report + shop.ssh.run("deploys:log", "shop").stdout
    assert shop.ssh.run("registry:report").returncode == 1  # root's on the host
