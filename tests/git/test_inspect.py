"""Properties of the inspection: it agrees with Linux and with itself, whatever it is given."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paas.errors import SourceRefused
from paas.git.limits import Limits
from paas.git.links import follow
from paas.git.names import is_dangerous, name_fault, ref_fault
from paas.git.objects import parse_commit, parse_tag, parse_tree
from paas.git.scan import PackStream, delta_result
from tests.git import packs

PARTS = st.sampled_from(["a", "b", "c", "..", "."])
TARGETS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
NAMES = st.sampled_from(["a", "b", "c", "a/a", "a/b", "b/c"])
GOOD = packs.pack(
    packs.whole(3, b"x" * 1000),
    packs.ofs_delta(len(packs.whole(3, b"x" * 1000)), packs.copy_delta(1000, 2000)),
    packs.whole(2, b""),
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(NAMES, TARGETS, max_size=4), TARGETS)
def test_links_resolve_as_linux_resolves_them(links: dict[str, str], path: str) -> None:
    links = {
        name: to for name, to in links.items() if name.split("/")[0] not in links or "/" not in name
    }
    with tempfile.TemporaryDirectory() as outer:
        root = Path(outer) / "x" / "y" / "root"
        root.mkdir(parents=True)
        for name, target in links.items():
            (root / name).parent.mkdir(exist_ok=True)
            (root / name).symlink_to(target)
        mine, _ = follow(links, path)
        real = real_path(root, path)
        if mine is None:
            assert real is None or not real.startswith(str(root) + "/")
        elif real is not None:
            assert real == str(root / mine)


def real_path(root: Path, path: str) -> str | None:
    """Return where Linux leads, None if it does not lead anywhere."""
    try:
        return os.path.realpath(root / path, strict=True)
    except OSError:
        return None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_tree_a_commit_a_tag_or_refused(content: bytes) -> None:
    for parse in (
        lambda: tuple(parse_tree(b"\1" * 20, 2, content)),
        lambda: parse_commit(b"\1" * 20, 1, content),
        lambda: parse_tag(b"\1" * 20, content),
        lambda: delta_result(content),
    ):
        try:
            parse()
        except SourceRefused:
            continue


@given(st.lists(st.integers(1, 50), min_size=1, max_size=200))
def test_a_pack_is_the_same_in_any_slices(sizes: list[int]) -> None:
    out = bytearray()
    stream = PackStream(slices(GOOD + b"what follows", sizes), Limits())
    stream.copy(out.extend)
    assert (bytes(out), stream.size) == (GOOD, len(GOOD))


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_passed_on_as_it_is(place: int, change: int) -> None:
    data = bytearray(GOOD)
    data[place] ^= change
    out = bytearray()
    with suppress(SourceRefused):  # or not: the checksum is the indexer's to look at
        PackStream(slices(bytes(data), [64]), Limits()).copy(out.extend)
    assert data.startswith(out)


@given(st.integers(0, len(GOOD) - 1))
def test_the_last_piece_is_kept_back_until_all_is_known(end: int) -> None:
    out = bytearray()
    with pytest.raises(SourceRefused):
        PackStream(slices(GOOD[:end], [7]), Limits()).copy(out.extend)
    assert len(out) <= end


def slices(data: bytes, sizes: list[int]) -> Callable[[int], bytes]:
    position, turn = 0, 0

    def receive(limit: int) -> bytes:
        nonlocal position, turn
        size = min(limit, sizes[turn % len(sizes)])
        turn += 1
        piece = data[position : position + size]
        position += len(piece)
        return piece

    return receive


@pytest.mark.parametrize(
    "name",
    [
        *(".git", ".GIT", ".Git", "git~1", "GIT~1", ".git ", ".git.", ".git. .", ".git:stream"),
        *(".g\u200cit", ".gi\ufefft", "a\\.git", ".git\\x", "", ".", "..", "a/b"),
    ],
)
def test_names_that_a_checkout_would_take_for_git(name: str) -> None:
    assert is_dangerous(name.encode())


@pytest.mark.parametrize(
    "name", [".gitignore", "git", "a.git", ".github", "..a", "ünï", "a b", "x\\y"]
)
def test_names_that_are_harmless(name: str) -> None:
    assert not is_dangerous(name.encode())
    assert name_fault(name.encode()) == ""


@given(st.text(max_size=60))
def test_a_ref_that_may_be_pushed_stays_in_its_folder(name: str) -> None:
    ref = b"refs/heads/" + name.encode("utf-8", "replace")
    if not ref_fault(ref):
        path = os.path.normpath("/repo/" + os.fsdecode(ref))
        assert path == "/repo/" + os.fsdecode(ref)
        assert name.isprintable()
