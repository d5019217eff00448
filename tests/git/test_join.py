"""Without git installed, packs are joined in Python: no more than a push may wait for."""

from contextlib import closing
from pathlib import Path

import pytest

from paas.git import join, tidy
from paas.git.objects import Headers
from paas.git.store import Store, exclusive
from tests.git.conftest import Work, run_git

pytestmark = pytest.mark.parametrize("host", ["dulwich"], indirect=True)


@pytest.fixture(name="many")
def push_often(work: Work, monkeypatch: pytest.MonkeyPatch) -> Work:
    """A host that got ten small pushes: each brings three objects, and most the base of a delta."""
    monkeypatch.setattr(tidy, "MANY", 5)
    for number in range(10):
        work.commit(f"{number}.txt", f"{number}\n")
        work.push("main")
    return work


def sizes(work: Work) -> list[int]:
    """Return the number of objects of each pack, largest first."""
    shown = [
        run_git(work.host.repository, "show-index", stdin=index.read_bytes()).splitlines()
        for index in packs_of(work)
    ]
    return sorted(map(len, shown), reverse=True)


def packs_of(work: Work) -> list[Path]:
    return tidy.packs_of(work.host.repository)


def test_small_packs_become_one_and_nothing_is_lost(many: Work) -> None:
    many.host.sweep()
    assert sizes(many) == [30]
    assert "error" not in run_git(many.host.repository, "fsck", "--full", "--strict")
    assert (many.host.clone(many.path.parent / "clone") / "9.txt").read_text() == "9\n"


def test_no_more_objects_are_joined_than_a_push_may_wait_for(
    many: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join, "OBJECTS", 12)
    many.host.sweep()
    first = sizes(many)
    assert 3 < first[0] <= 12
    many.host.sweep()
    assert max(sizes(many)) <= 12
    assert len(sizes(many)) < len(first) < 10
    assert "error" not in run_git(many.host.repository, "fsck", "--full")


def test_a_pack_that_unpacks_to_much_is_left_alone(
    many: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(join, "UNPACKED", 1 << 20)
    many.commit("zeros", "\0" * (2 << 20))
    many.push("main")
    before = set(packs_of(many))
    many.host.sweep()
    assert len(packs_of(many)) == 2
    assert len(before & set(packs_of(many))) == 1


def test_an_object_that_is_in_two_packs_stays_once(many: Work) -> None:
    many.git("push", "-q", str(many.host.repository), "HEAD:refs/heads/copy")
    run_git(many.host.repository, "repack", "-a", "-q", "-n")  # without -d: all packs stay
    assert sum(sizes(many)) >= 60
    many.host.sweep()
    assert sizes(many) == [30]


def test_a_reader_that_holds_the_packs_reads_on(many: Work) -> None:
    source = many.host.repos().source(many.host.app, many.head())
    many.host.sweep()
    assert source.read("0.txt") == "0\n"


def test_sizes_are_found_by_one_who_knew_the_packs_before(many: Work) -> None:
    objects = many.git("rev-list", "--objects", "--no-object-names", "HEAD").splitlines()
    with (
        closing(Store(many.host.repository / "objects")) as store,
        closing(Headers(store)) as heads,
    ):
        sizes_before = {name: heads.type_and_size(bytes.fromhex(name)) for name in objects[::2]}
        many.host.sweep()
        sizes_after = {name: heads.type_and_size(bytes.fromhex(name)) for name in objects}
    assert len(sizes_after) == 30
    assert sizes_before.items() <= sizes_after.items()


def test_a_repository_that_is_broken_keeps_no_other_waiting_and_is_left_alone(
    many: Work, caplog: pytest.LogCaptureFixture
) -> None:
    for index in packs_of(many):
        pack = index.with_suffix(".pack")
        pack.chmod(0o600)
        pack.write_bytes(pack.read_bytes()[:-30] + bytes(30))
    for _ in range(2):
        many.host.sweep()
    (record,) = caplog.records
    assert "7.git: the packs cannot be joined" in record.getMessage()


def test_one_that_was_interrupted_is_done_again(
    many: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_: Path) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as patch, exclusive(many.host.repository):
        patch.setattr(join, "_remove", stop)
        with pytest.raises(OSError, match="the power went"):
            join.join(many.host.repository)
    assert sum(sizes(many)) >= 60
    many.host.sweep()
    assert sizes(many) == [30]
    assert "error" not in run_git(many.host.repository, "fsck", "--full")
