"""Trees of a few objects that would take for ever to look at: counted, not timed."""

from collections.abc import Iterator, Mapping

import pytest

from paas.errors import SourceRefused
from paas.git.limits import MB, Limits
from paas.git.links import STEPS, check_links, follow
from tests.git import packs
from tests.git.conftest import Host, Work
from tests.git.test_attacks import raw_push, refuse

LIMITS = Limits(files=5000)
MOST_STEPS = STEPS * LIMITS.files
LONGEST = 41 * 4096  # steps that one link may take: its own path and 40 targets


class Counted(Mapping[str, str]):
    """Links that count how often they are asked for."""

    def __init__(self, links: dict[str, str]) -> None:
        self._links = links
        self.lookups = 0

    def __getitem__(self, path: str) -> str:
        self.lookups += 1
        return self._links[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)


def ladder(rungs: int, tail: str) -> dict[str, str]:
    """Links of which each leads to the next one, and then on."""
    return {f"l{n:05}": f"l{n + 1:05}{tail}" for n in range(rungs)}


def test_a_way_that_grows_longer_than_a_path_may_be_is_refused() -> None:
    links = Counted(ladder(40, "/a" * 2040))
    with pytest.raises(SourceRefused, match="path of more than 4,096 characters"):
        follow(links, "l00000")
    assert links.lookups < 5


def test_a_long_way_to_the_outside_is_no_way_around_the_wall() -> None:
    links = {"link": "./" * 2040 + "../x", "there": "link"}
    assert follow(links, "link")[0] is None
    with pytest.raises(SourceRefused):
        check_links(links, LIMITS)


@pytest.mark.parametrize("target", ["a/" * 2040, "/".join(["b"] * 100) + "/.." * 100, "./" * 2000])
def test_many_links_with_many_parts_are_given_up(target: str) -> None:
    links = Counted({f"l{n:05}": target for n in range(5000)})
    with pytest.raises(SourceRefused, match="more than 200,000 steps"):
        check_links(links, LIMITS)
    assert links.lookups < MOST_STEPS + LONGEST


def test_many_links_that_lead_through_many_links_are_given_up() -> None:
    links = Counted(ladder(39, "/." * 40) | {f"m{n:05}": "l00000" for n in range(5000)})
    with pytest.raises(SourceRefused, match="more than 200,000 steps"):
        check_links(links, LIMITS)
    assert links.lookups < MOST_STEPS + LONGEST


def test_a_folder_of_packages_that_are_links_to_each_other_is_taken() -> None:
    home = "node_modules/.pnpm"
    links = {
        f"{home}/a{n}@1.0.0/node_modules/b{n}": f"../../b{n}@1.0.0/node_modules/b{n}"
        for n in range(4500)
    }
    links |= {f"node_modules/a{n}": f".pnpm/a{n}@1.0.0/node_modules/b{n}" for n in range(500)}
    check_links(links, LIMITS)


def test_a_host_reads_nothing_through_a_way_that_is_too_long(work: Work) -> None:
    work.commit("dir/app.py")
    (work.path / "up").symlink_to("dir")
    work.commit()
    work.push("main")
    source = work.host.repos().source(work.host.app, work.head())
    assert source.has("up/app.py")
    assert not source.has("up/" + "./" * 2100 + "app.py")


def test_links_in_a_ladder_are_refused_before_they_are_deployed(work: Work) -> None:
    steps = ladder(40, "/a" * 2040)
    entries = [("120000", name.encode(), work.blob(to.encode())) for name, to in steps.items()]
    reason = refuse(work, work.commit_tree(work.tree(*entries)))
    assert "leads through a path of more than 4,096 characters" in reason


def test_links_that_take_much_memory_are_refused(work: Work) -> None:
    blob = work.blob(b"a" * 4000)
    entries = (("120000", b"l%05d" % n, blob) for n in range(5000))
    reason = refuse(work, work.commit_tree(work.tree(*entries)))
    assert "has symbolic links of more than 16 MB" in reason


def test_a_bomb_of_submodules_is_refused(work: Work) -> None:
    below = work.tree(*(("160000", b"s%06d" % n, "1" * 40) for n in range(1000)))
    for width in (50, 20):
        below = work.tree(*(("40000", b"d%03d" % n, below) for n in range(width)))
    reason = refuse(work, work.commit_tree(below))
    assert "has more than 50,000 files and submodules" in reason


def test_a_tree_of_many_entries_is_refused_in_little_memory(work: Work) -> None:
    entries = (("160000", b"%07d" % n, "1" * 40) for n in range(500_000))
    assert "has more than 50,000" in refuse(work, work.commit_tree(work.tree(*entries)))
    indexed_here = 150 if work.host.plan["git"] is None else 0
    assert peak(work.host) < (150 + indexed_here) * 1024


def peak(host: Host) -> int:
    (end,) = host.journal("end")
    return int(end["peak_kb"])


def whole_from(content: bytes, base: bytes) -> bytes:
    """A delta that takes nothing from its base."""
    sizes = packs.number(len(base)) + packs.number(len(content))
    return sizes + bytes([len(content)]) + content


def small_upon_large(mode: str) -> tuple[str, bytes]:
    """Return (commit, pack) of a tree of 20 small objects, each a delta upon one of a megabyte."""
    kind = "tree" if mode == "40000" else "blob"
    contents = [b"%02d" % number for number in range(20)]
    base, empty = bytes(MB), packs.identity("blob", b"")
    if kind == "tree":
        contents = [packs.tree(("100644", content, empty)) for content in contents]
        base = packs.tree(*(("100644", b"%06d" % number, empty) for number in range(MB // 34)))
    objects = [packs.whole(3, b""), packs.whole(packs.TREE if kind == "tree" else 3, base)]
    distance = len(objects[-1])
    for content in contents:
        objects.append(packs.ofs_delta(distance, whole_from(content, base)))
        distance += len(objects[-1])
    ids = [packs.identity(kind, content) for content in contents]
    top = packs.tree(*((mode, b"%02d" % number, each) for number, each in enumerate(ids)))
    commit = packs.commit(packs.identity("tree", top))
    objects += [packs.whole(packs.TREE, top), packs.whole(packs.COMMIT, commit)]
    return packs.identity("commit", commit), packs.pack(*objects)


@pytest.mark.parametrize("mode", ["120000", "100644", "40000"])
def test_small_objects_upon_a_large_one_are_refused_before_they_are_read(
    host: Host, mode: str
) -> None:
    sent = packs.request(*small_upon_large(mode))
    host.plan["limits"] = {"reading": 10 * MB}
    shown = raw_push(host, sent)
    assert "takes more than 10 MB of unpacking" in shown
    host.plan["limits"] = {"reading": 30 * MB}
    assert host.talk(sent)[0] == 0
