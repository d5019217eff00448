"""What a user's archive may hold, and what of it becomes a commit."""

import io
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from paas.archive import EXECUTABLE, FILE, LINK, Bounds, read_archive
from paas.errors import SourceRefused
from paas.source import NewFile

BOUNDS = Bounds(size=1_000_000, files=10, one=500_000)


def member(name: str, data: bytes = b"x", **more: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def tar(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w") -> io.BytesIO:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload] # a mode in a variable
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    file.seek(0)
    return file


def zipped(files: dict[str, bytes], modes: dict[str, int] | None = None) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (modes or {}).get(name, 0) << 16
            archive.writestr(info, data)
    file.seek(0)
    return file


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, b"", type=kind, linkname=to)


def test_files_links_and_modes_arrive_without_the_one_folder_around_them() -> None:
    file = tar(
        member("shop-1.2/app.py", b"print()"),
        member("shop-1.2/bin/run", b"#!", mode=0o755),
        link("shop-1.2/here", "app.py"),
    )
    assert list(read_archive(file, None, BOUNDS)) == [
        NewFile("app.py", FILE, b"print()"),
        NewFile("bin/run", EXECUTABLE, b"#!"),
        NewFile("here", LINK, b"app.py"),
    ]


def test_a_zip_and_a_compressed_tar_are_known_by_their_first_bytes() -> None:
    modes = {"b/run": 0o100755, "b/link": 0o120777}
    found = list(
        read_archive(zipped({"a": b"1", "b/run": b"2", "b/link": b"run"}, modes), None, BOUNDS)
    )
    assert [(f.path, f.mode) for f in found] == [
        ("a", FILE),
        ("b/run", EXECUTABLE),
        ("b/link", LINK),
    ]
    assert [f.path for f in read_archive(tar(member("a"), mode="w:gz"), None, BOUNDS)] == ["a"]


def test_a_hard_link_brings_its_file() -> None:
    file = tar(member("a", b"one"), link("b", "a", tarfile.LNKTYPE))
    assert [f.content for f in read_archive(file, None, BOUNDS)] == [b"one", b"one"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: tar(member("../a")),
        lambda: tar(member("/etc/passwd")),
        lambda: tar(member("a/../../b")),
        lambda: tar(member("..\\a")),
        lambda: tar(member("dev", b"", type=tarfile.CHRTYPE)),
        lambda: tar(member("pipe", b"", type=tarfile.FIFOTYPE)),
        lambda: tar(link("a", "/etc/passwd", tarfile.LNKTYPE)),
        lambda: tar(*(member(str(n)) for n in range(11))),
        lambda: tar(*(member(str(n), bytes(400_000)) for n in range(3))),
        lambda: tar(member("a", bytes(500_001))),
        lambda: tar(member("a", bytes(50_000_000)), mode="w:gz"),
        lambda: tar(
            member("a", bytes(400_000)),
            link("b", "a", tarfile.LNKTYPE),
            link("c", "a", tarfile.LNKTYPE),
        ),
        tar,
        lambda: zipped({"../a": b"1"}),
        lambda: zipped({"a": bytes(2_000_000)}),
        lambda: zipped({"a": b""}, {"a": 0o060644}),
        lambda: io.BytesIO(b"no archive at all"),
        lambda: io.BytesIO(b"PK\x03\x04 broken"),
        lambda: io.BytesIO(b"\x1f\x8b broken"),
        lambda: io.BytesIO(b""),
    ],
)
def test_what_leaves_the_tree_or_is_a_bomb_is_refused(make: Callable[[], io.BytesIO]) -> None:
    with pytest.raises(SourceRefused):
        list(read_archive(make(), None, BOUNDS))


def test_a_sparse_giant_is_refused_without_reading_it() -> None:
    info, _ = member("a", b"")
    info.size = 2**40
    file = io.BytesIO(info.tobuf() + bytes(1024))
    with pytest.raises(SourceRefused):
        list(read_archive(file, "tar", BOUNDS))
