"""How images of predeploy live with those of builds: builder and scheduler on one real engine."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from docker.errors import ImageNotFound

from paas.build import app_images as module
from paas.errors import BuildFailed
from paas.model import App, Image
from paas.schedulers.base import ProcessSpec
from paas.schedulers.docker_local import DockerLocal
from tests.contracts.engines import ENGINES
from tests.contracts.workshop import Workshop, open_workshop

pytestmark = pytest.mark.engine
RUN = os.getpid()
APP = App(1, "shop", RUN % 2000, 0.0)
DOCKERFILE = "FROM paas/stack\nCOPY . /app/\nUSER nobody\nCMD serve\n"


@pytest.fixture(params=ENGINES, ids=lambda url: str(url).rpartition("/")[2])
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    with open_workshop(request.param, tmp_path, f"bk{RUN:x}") as opened:
        yield opened.changed(network="10.205.0.0/16", services="10.206.0.0/16")


def bake(workshop: Workshop, image: str, command: str) -> Image:
    """Run a command in an image of the app; return the one that is kept."""
    address = str(workshop.settings.subnet(APP.network_index)[9])
    spec = ProcessSpec(APP, 1, "predeploy", 1, image, command, {}, 5000, address)
    made: list[Image] = []
    with contextlib.closing(DockerLocal(workshop.settings)) as scheduler:
        try:
            adopt = workshop.builder.adopt
            scheduler.bake(spec, lambda _: None, 60, lambda new: made.append(adopt(APP, new)))
        finally:
            scheduler.destroy(APP)
    return made[0]


def is_there(workshop: Workshop, image: str) -> bool:
    try:
        workshop.api.inspect_image(image)  # type: ignore[no-untyped-call] # docker's stubs
    except ImageNotFound:
        return False
    return True


def test_what_was_built_loses_its_name_first_and_goes_with_what_was_made_of_it(
    workshop: Workshop,
) -> None:
    built = workshop.build(DOCKERFILE, {"a": uuid4().hex})[0].id
    baked = bake(workshop, built, "echo 1 > /app/b").id
    assert workshop.builder.images(APP) == {built, baked}
    workshop.builder.remove_images(APP, [built])
    assert workshop.builder.images(APP) == {baked}
    workshop.builder.remove_orphans([APP.id])
    assert is_there(workshop, baked)
    workshop.builder.remove_images(APP, [baked])
    assert (is_there(workshop, built), is_there(workshop, baked)) == (False, False)


def test_it_is_described_and_labelled_as_what_was_built(workshop: Workshop) -> None:
    built = workshop.build(DOCKERFILE, {"a": uuid4().hex})[0]
    baked = bake(workshop, built.id, "echo 1 > /app/b")
    assert replace(baked, id="", size=0) == replace(built, id="", size=0)
    assert baked.labels["paas.role"] == "app"


def test_one_that_is_too_large_is_refused_and_gone(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = workshop.build(DOCKERFILE, {"a": uuid4().hex})[0]
    monkeypatch.setattr(module, "MAX_IMAGE", built.size + 500_000)
    with pytest.raises(BuildFailed, match="more than the"):
        bake(workshop, built.id, "head -c 1000000 /dev/zero > /app/b")
    assert workshop.builder.images(APP) == {built.id}
    children = [i for i in workshop.api.images(all=True) if i["ParentId"] == built.id]
    assert children == []
