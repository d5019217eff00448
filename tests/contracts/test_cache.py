"""On real engines: the budget of the build cache, and images that nobody wants."""

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from paas.build import orphans
from paas.build.cache import read_ledger, read_records
from tests.contracts.engines import ENGINES
from tests.contracts.workshop import BLOG, SHOP, Workshop, open_workshop

pytestmark = pytest.mark.engine
MB = 1024 * 1024


@pytest.fixture(params=ENGINES, ids=lambda url: str(url).rpartition("/")[2])
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    with open_workshop(request.param, tmp_path / "own", "cachetest") as made:
        yield made


def steps(name: str) -> str:
    """Two stages; what the first makes is in no image, only in the cache."""
    return (
        "FROM paas/stack AS work\n"
        f"RUN head -c {3 * MB} /dev/urandom > /{name}\n"
        f"FROM paas/stack\nCOPY --from=work /etc/os-release /{name}\nCMD true\n"
    )


def sizes(workshop: Workshop) -> dict[str, int]:
    ledger = read_ledger(workshop.settings.root / "build-cache.json")
    return {r["ID"]: r["Size"] for r in read_records(workshop.api) if r["ID"] in ledger}


def test_own_cache_is_kept_to_its_budget_and_another_instance_s_is_not_touched(
    workshop: Workshop, tmp_path: Path
) -> None:
    with open_workshop(workshop.settings.engine, tmp_path / "other", "cacheother") as other:
        for each in (other, workshop):
            each.build(steps(f"a{uuid4().hex}"))
            each.builder.tidy()
        theirs, ours = sizes(other), sizes(workshop)
        assert max(theirs.values()) >= 3 * MB
        assert max(ours.values()) >= 3 * MB
        assert not theirs.keys() & ours.keys()
        small = workshop.changed(cache_budget=MB)
        small.build(steps(f"b{uuid4().hex}"))
        small.builder.tidy()
        assert sum(sizes(small).values()) <= MB
        assert sizes(other) == theirs


def test_images_of_apps_that_are_gone_go_and_those_of_others_stay(
    workshop: Workshop, tmp_path: Path
) -> None:
    with open_workshop(workshop.settings.engine, tmp_path / "other", "cacheother") as other:
        text = steps(uuid4().hex)
        for each in (workshop, other):
            for app in (SHOP, BLOG):
                each.build(text + f"LABEL x={each.settings.instance}-{app.id}\n", app=app)
        assert workshop.builder.remove_orphans([SHOP.id]) == 1
        assert workshop.builder.images(SHOP)
        assert not workshop.builder.images(BLOG)
        assert other.builder.images(SHOP)
        assert other.builder.images(BLOG)


def test_nameless_images_of_own_builds_go_when_they_are_old(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_workshop(workshop.settings.engine, tmp_path / "other", "cacheother") as other:
        ids = []
        for each in (workshop, other):
            image, _ = each.build(steps(uuid4().hex))
            copy = each.api.commit(each.api.create_container(image.id)["Id"])["Id"]
            ids.append(str(copy))
        assert workshop.builder.remove_orphans([SHOP.id]) == 0
        monkeypatch.setattr(orphans, "YOUNG", -time.time())
        assert workshop.builder.remove_orphans([SHOP.id]) >= 1
        left = {i["Id"] for i in workshop.api.images(all=True)}
        assert ids[0] not in left
        assert ids[1] in left
        monkeypatch.undo()
        for each in workshop.api.containers(all=True, filters={"status": "created"}):
            if each["Labels"].get("paas.instance") in {"cachetest", "cacheother"}:
                workshop.api.remove_container(each["Id"])
        workshop.api.remove_image(ids[1])
