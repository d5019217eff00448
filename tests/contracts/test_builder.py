"""What every builder does: the fake, and Docker Engine (as many as PAAS_TEST_ENGINES names)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.build.base import Builder
from paas.errors import BuildFailed
from paas.model import App, Image
from tests.contracts.engines import ENGINES
from tests.contracts.workshop import open_workshop
from tests.fakes.builder import FakeBuilder
from tests.fakes.reporting import make_reporter
from tests.fakes.source import TreeSource

APP, TWIN = App(1, "shop", 0, 0.0), App(11, "twin", 1, 0.0)  # 1 begins 11: names are whole
DOCKERFILE = """FROM paas/stack
COPY . /app/
EXPOSE 8000
VOLUME /data
CMD ["serve", "/app"]
"""


@pytest.fixture(
    params=["fake", *(pytest.param(url, marks=pytest.mark.engine) for url in ENGINES)],
    ids=lambda url: str(url).rpartition("/")[2],
)
def builder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Builder]:
    if request.param == "fake":
        yield FakeBuilder()
        return
    with open_workshop(request.param, tmp_path) as workshop:
        yield workshop.builder


def build(
    builder: Builder,
    dockerfile: str,
    text: str = "1",
    *,
    app: App = APP,
    no_cache: bool = False,
) -> Image:
    source = TreeSource({"Dockerfile": dockerfile, "a.txt": text})
    reporter, _ = make_reporter()
    return builder.build(app, builder.plan(source), source, reporter, no_cache=no_cache)


def test_a_dockerfile_becomes_an_image_with_what_it_says(builder: Builder) -> None:
    image = build(builder, DOCKERFILE)
    assert image.id.startswith("sha256:")
    assert (image.exposed, image.volumes) == ((8000,), ("/data",))
    assert image.command == ("serve", "/app")
    assert image.size > 0


def test_an_image_is_named_by_its_content(builder: Builder) -> None:
    first = build(builder, DOCKERFILE, "1").id
    assert build(builder, DOCKERFILE, "2").id != first
    assert build(builder, DOCKERFILE, "1").id == first


def test_a_failed_step_raises_with_its_code_its_last_line_and_a_hint(builder: Builder) -> None:
    with pytest.raises(BuildFailed, match="exited with code 3") as caught:
        build(builder, "FROM paas/stack\nRUN echo oops; exit 3\n")
    assert caught.value.details[-1] == "oops"
    assert caught.value.hint


def test_the_same_source_can_be_built_again_after_a_failure(builder: Builder) -> None:
    with pytest.raises(BuildFailed):
        build(builder, "FROM paas/stack\nRUN exit 1\n")
    assert build(builder, DOCKERFILE).id


def test_a_source_that_nothing_matches_is_refused_by_the_plan(builder: Builder) -> None:
    with pytest.raises(BuildFailed, match="No buildpack matches"):
        builder.plan(TreeSource({"notes.txt": "x"}))


def test_the_tools_output_reaches_the_reporter(builder: Builder) -> None:
    source = TreeSource({"Dockerfile": "FROM paas/stack\nRUN echo hello\n"})
    reporter, screen = make_reporter()
    builder.build(APP, builder.plan(source), source, reporter, no_cache=True)
    assert "       | hello\n" in screen.text


def test_tidying_up_twice_is_harmless(builder: Builder) -> None:
    build(builder, DOCKERFILE)
    builder.tidy()
    builder.tidy()
    assert build(builder, DOCKERFILE).id


def test_an_app_has_the_images_that_were_built_for_it_until_they_are_removed(
    builder: Builder,
) -> None:
    assert builder.images(APP) == frozenset()
    first, second = build(builder, DOCKERFILE, "1").id, build(builder, DOCKERFILE, "2").id
    assert builder.images(APP) == {first, second}
    builder.remove_images(APP, [first])
    builder.remove_images(APP, [first, "sha256:" + "0" * 64])
    assert builder.images(APP) == {second}
    assert build(builder, DOCKERFILE, "1").id == first
    assert builder.images(APP) == {first, second}


def test_an_adopted_image_is_one_of_the_app_s(builder: Builder) -> None:
    image = build(builder, DOCKERFILE).id
    adopted = builder.adopt(TWIN, image)
    assert adopted.id == image
    assert builder.images(TWIN) == {image}
    assert adopted.size > 0
    builder.remove_images(TWIN, [image])


def test_an_image_that_two_apps_have_goes_with_the_second(builder: Builder) -> None:
    image = build(builder, DOCKERFILE, "same").id
    assert build(builder, DOCKERFILE, "same", app=TWIN).id == image
    builder.remove_images(APP, [image])
    assert image not in builder.images(APP)
    assert builder.images(TWIN) == {image}
    builder.remove_images(TWIN, builder.images(TWIN))
    assert builder.images(TWIN) == frozenset()


def test_the_findings_for_doctor_have_a_level_and_a_hint_when_they_are_bad(
    builder: Builder,
) -> None:
    findings = builder.check()
    assert findings
    assert all(f.level == "ok" or (f.level in {"warn", "fail"} and f.hint) for f in findings)
