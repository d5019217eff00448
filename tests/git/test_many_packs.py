"""A repository of very many packs: nobody may run out of descriptors."""

import zlib
from contextlib import closing
from pathlib import Path

import pytest
from dulwich.pack import write_pack_index
from dulwich.repo import Repo

from paas.git.store import ensure_repository, move_branch
from tests.git import packs
from tests.git.conftest import Work, run_git

PACKS = 300
FILES = 256  # that a process may have open: less than one per pack


def write_pack(folder: Path, kind: int, content: bytes, identity: bytes) -> None:
    """Write a pack of one object, and its index."""
    whole = packs.whole(kind, content)
    data = packs.pack(whole)
    name = folder / f"pack-{data[-20:].hex()}"
    name.with_suffix(".pack").write_bytes(data)
    with name.with_suffix(".idx").open("wb") as index:
        write_pack_index(index, [(identity, 12, zlib.crc32(whole))], data[-20:])


@pytest.fixture(name="scattered")
def scatter(work: Work) -> Work:
    """A host that has each object in a pack of its own, and may open few files."""
    for number in range(PACKS):
        (work.path / f"{number}.txt").write_text(f"{number}\n")
    work.commit()
    ensure_repository(work.host.repository)
    with closing(Repo(str(work.path))) as mine:
        for name in mine.object_store:
            kind, content = mine.object_store.get_raw(name)
            folder = work.host.repository / "objects" / "pack"
            write_pack(folder, kind, content, bytes.fromhex(name.decode()))
    move_branch(work.host.repository, "main", work.head())
    work.host.plan["files"] = FILES
    return work


def test_a_push_is_taken(scattered: Work) -> None:
    scattered.commit("new.txt", "new\n")
    scattered.push("main")
    (deploy,) = scattered.host.journal("deploy")
    assert deploy["files"] == PACKS + 2


def test_a_clone_gets_everything(scattered: Work) -> None:
    clone = scattered.host.clone(scattered.path.parent / "clone")
    assert (clone / f"{PACKS - 1}.txt").read_text() == f"{PACKS - 1}\n"
    assert "error" not in run_git(clone, "fsck", "--full")
