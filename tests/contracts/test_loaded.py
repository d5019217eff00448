"""On real engines: images that users send stay theirs, and take nobody's name."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.build.images import save_images
from paas.errors import BuildFailed, PaasError, SourceRefused
from tests.contracts.engines import ENGINES
from tests.contracts.workshop import BLOG, SHOP, Workshop, open_workshop

pytestmark = pytest.mark.engine


@pytest.fixture(params=ENGINES, ids=lambda url: str(url).rpartition("/")[2])
def workshop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workshop]:
    with open_workshop(request.param, tmp_path, "loadtest") as made:
        yield made


def saved(workshop: Workshop, *names: str) -> io.BytesIO:
    """Return what docker save writes for the stack, under other names."""
    for name in names:
        workshop.api.tag(workshop.settings.stack, name.partition(":")[0], name.partition(":")[2])
    data = io.BytesIO()
    save_images(workshop.api, names, data)
    for name in names:
        workshop.api.remove_image(name)
    data.seek(0)
    return data


@pytest.fixture
def file(workshop: Workshop) -> io.BytesIO:
    return saved(workshop, "loadtest-sent:1")


def names(workshop: Workshop) -> set[str]:
    """Return the names that are ours or of the test's files: others use the engine too."""
    found = {name for image in workshop.api.images() for name in image["RepoTags"] or ()}
    return {name for name in found if name.startswith(("loadtest", "x:"))}


def test_an_app_builds_from_what_was_sent_for_it(workshop: Workshop, file: io.BytesIO) -> None:
    before = names(workshop)
    alias = workshop.builder.load_source(SHOP, file, "loadtest-sent:1")
    (name,) = names(workshop) - before
    assert name.startswith(f"loadtest/app-{SHOP.id}:loaded-")
    image, _ = workshop.build(f"FROM {alias}\nCMD true\n")
    assert image.id in workshop.builder.images(SHOP)
    with pytest.raises(BuildFailed, match="may not read"):
        workshop.build(f"FROM {alias}\n", app=BLOG)


def test_it_is_not_pruned_with_old_releases_but_goes_with_its_successor_and_its_app(
    workshop: Workshop, file: io.BytesIO
) -> None:
    builder = workshop.builder
    alias = builder.load_source(SHOP, file, "loadtest-sent:1")
    assert builder.images(SHOP) == frozenset()
    builder.keep_source(SHOP, alias)
    workshop.build(f"FROM {alias}\n")
    builder.keep_source(SHOP, None)
    with pytest.raises(BuildFailed):
        workshop.build(f"FROM {alias}\n")
    file.seek(0)
    builder.load_source(SHOP, file, "loadtest-sent:1")
    builder.remove_orphans([BLOG.id])
    assert not any("app-1:" in name for name in names(workshop))


def test_no_name_of_the_file_is_taken(workshop: Workshop) -> None:
    both = saved(workshop, "loadtest-sent:1", "loadtest-evil:1")
    before = names(workshop)
    workshop.builder.load_source(SHOP, both, "loadtest-sent:1")
    assert all(name.startswith("loadtest/app-") for name in names(workshop) - before)


def archive(files: dict[str, bytes], links: dict[str, str] | None = None) -> io.BytesIO:
    found = io.BytesIO()
    with tarfile.open(fileobj=found, mode="w") as out:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            out.addfile(info)
    found.seek(0)
    return found


def bomb(size: int) -> bytes:
    """Return a layer with a file of so many zeros, which is small as long as it is compressed."""
    head = tarfile.TarInfo("zeros")
    head.size = size
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as out:
        out.write(head.tobuf())
        for _ in range(size >> 20):
            out.write(bytes(1 << 20))
        out.write(bytes(1024))
    return packed.getvalue()


def test_a_layer_that_unpacks_to_more_than_an_image_may_have_is_refused(workshop: Workshop) -> None:
    layer = bomb(100 << 20)
    heavy = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["l.tar"] * 30}]
    sent = archive({"manifest.json": json.dumps(heavy).encode(), "c.json": b"{}", "l.tar": layer})
    with pytest.raises(SourceRefused, match="more than the"):
        workshop.builder.load_source(SHOP, sent, "x:1")


def manifest(config: str = "c.json", layer: str = "l.tar") -> bytes:
    return json.dumps([{"Config": config, "RepoTags": ["x:1"], "Layers": [layer]}]).encode()


@pytest.mark.parametrize(
    "sent",
    [
        io.BytesIO(b"nothing"),
        archive({"a": b""}),
        archive({"manifest.json": b"not json"}),
        archive({"manifest.json": b"[]"}),
        archive({"manifest.json": manifest("../c.json"), "../c.json": b"{}"}),
        archive({"manifest.json": manifest("/etc/passwd"), "/etc/passwd": b"{}"}),
        archive({"manifest.json": manifest(), "c.json": b"{}"}),
        archive({"manifest.json": manifest(), "c.json": b"{}"}, {"l.tar": "../../etc/passwd"}),
        archive({"manifest.json": manifest(), "c.json": b"{}"}, {"l.tar": "m", "m": "l.tar"}),
        archive({"manifest.json": manifest(), "c.json": b"{}", "l.tar": b"rubbish"}),
    ],
)
def test_what_is_no_saved_image_is_refused(workshop: Workshop, sent: io.BytesIO) -> None:
    before = names(workshop)
    sent.seek(0)
    with pytest.raises((SourceRefused, PaasError)):
        workshop.builder.load_source(SHOP, sent, "x:1")
    assert names(workshop) == before
