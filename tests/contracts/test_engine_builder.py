"""What only the real builder can show: caches, limits, certificates, logins, cancelling."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from paas.build import app_images as module
from paas.build.app_images import size_of
from paas.build.base import BuildPlan
from paas.build.cache import read_records, uses_containerd
from paas.build.leftovers import record_of
from paas.build.room import Room
from paas.errors import BuildFailed, Cancelled
from paas.reporter import Reporter
from tests.contracts.engines import ENGINES, LOCAL, until
from tests.contracts.workshop import INSTANCE, SHOP, WEB, Workshop, open_workshop
from tests.fakes.reporting import Screen
from tests.fakes.source import TreeSource
from tests.registry import PASSWORD, USER, Registry, run_registry

pytestmark = pytest.mark.engine
NAP = 10_000 + os.getpid()  # no other run of these tests has the same
STAGES = """FROM paas/stack AS deps
COPY requirements.txt /
RUN cat /requirements.txt
FROM deps
COPY . /app
"""


@pytest.fixture(params=ENGINES, ids=lambda url: str(url).rpartition("/")[2])
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    with open_workshop(request.param, tmp_path) as workshop:
        yield workshop


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Workshop]:
    """Only an engine in this network can reach a registry on this loopback."""
    with open_workshop(LOCAL, tmp_path) as workshop:
        yield workshop


@pytest.fixture
def registry() -> Iterator[Registry]:
    with run_registry() as registry:
        yield registry


def is_running(word: str) -> bool:
    """Whether a process of this machine has `word` among its arguments."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in file.read_bytes().split(b"\0"):
                return True
        except OSError:
            continue
    return False


def test_an_image_that_a_container_uses_stays_until_the_container_is_gone(
    workshop: Workshop,
) -> None:
    image, _ = workshop.build("FROM paas/stack\nRUN echo used > /used\n")
    made = workshop.api.create_container(image.id, "true")
    workshop.builder.remove_images(SHOP, [image.id])
    assert image.id in workshop.builder.images(SHOP)
    workshop.api.remove_container(made["Id"])
    workshop.builder.remove_images(SHOP, [image.id])
    assert workshop.api.images(name=f"{workshop.settings.instance}/app-{SHOP.id}") == []


def test_a_code_only_build_takes_dependencies_from_the_cache(workshop: Workshop) -> None:
    files = {"requirements.txt": str(uuid4())}
    assert "Dependencies: cached" not in workshop.build(STAGES, {**files, "app.py": "1"})[1]
    assert "Dependencies: cached" in workshop.build(STAGES, {**files, "app.py": "22"})[1]


def test_without_the_cache_all_steps_run(workshop: Workshop) -> None:
    workshop.build(STAGES, {"requirements.txt": "x"})
    text = workshop.build(STAGES, {"requirements.txt": "x"}, no_cache=True)[1]
    assert "Dependencies: cached" not in text
    assert "Dependencies: " in text


def test_package_managers_trust_the_hosts_certificates(workshop: Workshop) -> None:
    text = """FROM paas/stack-build
RUN python3 -m venv /venv && /venv/bin/pip install --no-cache-dir six
RUN mkdir /node && cd /node && npm install --no-audit left-pad
"""
    output = workshop.build(text, no_cache=True)[1]
    assert "Successfully installed six" in output
    assert "added 1 package" in output


def test_the_certificates_leave_nothing_in_the_image(workshop: Workshop) -> None:
    image, _ = workshop.build("FROM paas/stack\nRUN test -s $SSL_CERT_FILE && touch /made\n")
    config = workshop.api.inspect_image(image.id)["Config"]  # type: ignore[no-untyped-call] # docker's stubs
    assert "paas-ca" not in str(config)
    made = workshop.build("FROM paas/stack\nRUN true\n")[0]
    stack = workshop.api.inspect_image(workshop.settings.stack)  # type: ignore[no-untyped-call] # docker's stubs
    # The containerd store counts the folder of a layer in which there is nothing.
    assert made.size - size_of(workshop.api, stack["Id"]) in {0, 4096}


def test_a_variable_of_the_image_wins_over_ours(workshop: Workshop) -> None:
    text = "FROM paas/stack\nENV PIP_CERT=/mine\nRUN echo pip $PIP_CERT\n"
    assert "| pip /mine" in workshop.build(text, no_cache=True)[1]


def test_an_apt_cache_that_is_down_is_told_and_not_used(workshop: Workshop) -> None:
    down = workshop.changed(apt_cache="http://127.0.0.1:9")
    text = down.build("FROM paas/stack\nRUN echo proxy=$http_proxy.\n", no_cache=True)[1]
    assert " !     The apt cache does not answer" in text
    assert "| proxy=." in text


def test_a_build_that_takes_too_long_is_stopped_in_the_engine_too(workshop: Workshop) -> None:
    slow = workshop.changed(build_timeout=4)
    with pytest.raises(BuildFailed, match="took longer than 4 s"):
        slow.build(f"FROM paas/stack\nRUN sleep {NAP}1\n")
    assert not until(lambda: is_running(f"{NAP}1"), lambda runs: not runs)


class Impatient(Reporter):
    """Gives up as soon as the step runs, as a cancelled deploy does."""

    def tool(self, text: str) -> None:
        if text == "started":
            assert until(lambda: is_running(f"{NAP}2"), bool)
            raise Cancelled("The deploy was cancelled")


def test_leaving_a_build_cancels_it_in_the_engine(workshop: Workshop) -> None:
    text = f"FROM paas/stack\nRUN sh -c 'sleep {NAP}2 & echo started; wait'\n"
    plan = BuildPlan("dockerfile", "Dockerfile", text, WEB)
    with pytest.raises(Cancelled):
        workshop.builder.build(SHOP, plan, TreeSource({}), Impatient(Screen()), no_cache=True)
    assert not until(lambda: is_running(f"{NAP}2"), lambda runs: not runs)


def test_an_image_that_is_too_big_is_removed(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IMAGE", 1000)
    own = {"label": [f"paas.instance={INSTANCE}", "paas.role=app"]}
    before = workshop.api.images(filters=own, quiet=True)
    with pytest.raises(BuildFailed, match="more than"):
        workshop.build("FROM paas/stack\nCOPY . /\n", {"unique": "to this test"})
    assert workshop.api.images(filters=own, quiet=True) == before


def test_an_image_keeps_a_name_made_of_its_content(workshop: Workshop) -> None:
    image, _ = workshop.build("FROM paas/stack\nCOPY . /\n", {"a": "1"})
    name = f"{INSTANCE}/app-1:{image.id[7:19]}"
    assert workshop.api.inspect_image(name)["Id"] == image.id  # type: ignore[no-untyped-call] # docker's stubs


def test_steps_of_builds_are_in_the_limited_group(workshop: Workshop) -> None:
    finding = workshop.builder.check()[-1]
    assert (finding.check, finding.level) == ("build limits", "ok")


def test_tidying_up_removes_own_contexts_and_nothing_else(
    workshop: Workshop, tmp_path: Path
) -> None:
    name = str(uuid4())
    text = STAGES + f"RUN --mount=type=cache,id={name},target=/c echo {name} > /c/x\n"
    with open_workshop(workshop.settings.engine, tmp_path / "other", "othertest") as other:
        other.build(text, {"requirements.txt": name, "a": "other"})
        workshop.build(text, {"requirements.txt": name, "a": "own"})
        theirs, own = contexts(other), contexts(workshop)
        workshop.builder.tidy()
        left = {r["ID"]: r["Description"] for r in records(workshop)}
    assert (len(theirs), len(own)) == (2, 2)
    assert theirs <= left.keys()
    # Where each removal costs, they wait for the budget: tests/contracts/test_cache.py.
    assert own & left.keys() == (own if uses_containerd(workshop.api) else set())
    assert sum(d.startswith("cached mount") and name in d for d in left.values()) == 2
    assert "Dependencies: cached" in workshop.build(text, {"requirements.txt": name})[1]


def records(workshop: Workshop) -> list[dict[str, Any]]:
    """Return the engine's build cache as it is now."""
    return [dict(record) for record in read_records(workshop.api)]


def contexts(workshop: Workshop) -> set[str | None]:
    """Return the ids of the cache records that this instance's builds noted."""
    notes = (workshop.settings.run / "contexts").glob("*.json")
    spans = [span for note in notes for span in json.loads(note.read_text())]
    now = records(workshop)
    return {record_of(span, now) for span in spans} - {None}


def test_a_base_image_is_pulled_with_the_stored_login(local: Workshop, registry: Registry) -> None:
    name = registry.add_image("team/base:1", {"file": f"from the registry {uuid4()}"})
    local.logins[registry.address] = (USER, PASSWORD)
    try:
        text = f"FROM {name} AS base\nFROM paas/stack\nCOPY --from=base /file /\nRUN cat /file\n"
        output = local.build(text)[1]
        assert f"Pulling {name}" in output
        assert "| from the registry" in output
        assert "Pulling" not in local.build(text)[1]
        assert "Pulling" in local.build(text, no_cache=True)[1]
    finally:
        local.api.remove_image(name)


def test_without_a_login_a_private_registry_is_refused_with_a_way_out(
    local: Workshop, registry: Registry
) -> None:
    name = registry.add_image("team/base:2", {"file": "x"})
    with pytest.raises(BuildFailed, match="inside the host's own network") as caught:
        local.build(f"FROM {name}\n")
    assert "storing a login" in caught.value.hint
    assert registry.requests == []


def test_a_wrong_login_is_told(local: Workshop, registry: Registry) -> None:
    name = registry.add_image("team/base:3", {"file": "x"})
    local.logins[registry.address] = (USER, "wrong")
    with pytest.raises(
        BuildFailed, match=r"team/base:3 cannot be pulled: .*unauthorized"
    ) as caught:
        local.build(f"FROM {name}\n")
    assert "refused the login" in caught.value.hint
    assert "FROM paas/stack" in caught.value.hint


def test_an_image_that_the_registry_lacks_is_told(local: Workshop, registry: Registry) -> None:
    local.logins[registry.address] = (USER, PASSWORD)
    with pytest.raises(BuildFailed, match=r"manifest.*unknown"):
        local.build(f"FROM {registry.address}/team/none:1\n")


def test_onbuild_of_a_base_image_does_not_run(local: Workshop, registry: Registry) -> None:
    trap = ["ADD http://127.0.0.1:9/ /x"]
    name = registry.add_image("team/trap:1", {"file": "x"}, OnBuild=trap)
    local.logins[registry.address] = (USER, PASSWORD)
    try:
        with pytest.raises(BuildFailed, match="ONBUILD"):
            local.build(f"FROM {name}\n")
    finally:
        local.api.remove_image(name)


def test_a_missing_stack_is_told_before_anything_is_fetched(workshop: Workshop) -> None:
    other = workshop.changed(suite="nosuch")
    with pytest.raises(BuildFailed, match=f"stack image {INSTANCE}/stack:nosuch is missing"):
        other.build("FROM paas/stack\n")


def test_a_step_that_fills_the_disk_is_stopped(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("paas.disk.space", lambda *_: (1, 4))
        with pytest.raises(BuildFailed, match="fills the host's disk"):
            workshop.build(f"FROM paas/stack\nRUN sleep {NAP}\n", no_cache=True)
    assert not until(lambda: is_running(str(NAP)), lambda running: not running)
    assert not Room(workshop.settings).is_short()
