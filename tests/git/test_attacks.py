"""Hostile pushes: each is refused with a reason, and leaves nothing behind."""

import random
import zlib

import pytest
from dulwich.protocol import pkt_line

from tests.git import packs
from tests.git.conftest import Host, Work, run_git

MB = 1024 * 1024
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


def assert_untouched(host: Host) -> None:
    assert host.journal("deploy") == []
    assert host.quarantines() == []
    assert host.refs() == {}
    assert list((host.repository / "objects" / "pack").glob("*")) == []


def refuse(work: Work, commit: str) -> str:
    """Push the commit; return the reason of its refusal."""
    shown = work.push(f"{commit}:refs/heads/main", status=1)
    assert "Traceback" not in shown
    assert_untouched(work.host)
    (line,) = (line for line in shown.splitlines() if "[remote rejected]" in line)
    return line.partition(" (")[2]


@pytest.mark.parametrize(
    "name",
    [b"..", b".", b".git", b".GIT", b"a/b", b"git~1", b".git ", b".git.", b".gi\xe2\x80\x8ct"],
)
def test_a_tree_with_a_dangerous_name_is_refused(work: Work, name: bytes) -> None:
    reason = refuse(work, work.commit_tree(work.tree(("100644", name, work.blob(b"x")))))
    assert "pack was refused" in reason or "has a file named" in reason


@pytest.mark.parametrize("name", [b"a\x1b[2Jb", b"line\nbreak", b"\xff\xfe", b"n" * 300])
def test_a_file_name_that_cannot_be_shown_is_not_deployed(work: Work, name: bytes) -> None:
    reason = refuse(work, work.commit_tree(work.tree(("100644", name, work.blob(b"x")))))
    assert "The file name" in reason
    assert "\x1b" not in reason


@pytest.mark.parametrize("mode", ["104755", "100666", "20666", "120777", "60666"])
def test_a_special_mode_is_refused(work: Work, mode: str) -> None:
    assert refuse(work, work.commit_tree(work.tree((mode, b"a", work.blob(b"x")))))


def test_entries_out_of_order_are_refused(work: Work) -> None:
    blob = work.blob(b"x")
    assert refuse(work, work.commit_tree(work.tree(("100644", b"b", blob), ("100644", b"a", blob))))


def test_a_name_that_stands_twice_is_refused(work: Work) -> None:
    blob, sub = work.blob(b"x"), work.tree()
    entries = ("100644", b"a", blob), ("100644", b"a-", blob), ("40000", b"a", sub)
    assert refuse(work, work.commit_tree(work.tree(*entries)))


@pytest.mark.parametrize(
    "target", [b"/etc/passwd", b"../outside", b"d/../../x", b"here/../../x", b"", b"\xff"]
)
def test_a_link_that_leaves_the_tree_is_refused(work: Work, target: bytes) -> None:
    here = work.blob(b".")
    entries = ("120000", b"here", here), ("120000", b"link", work.blob(target))
    assert "symbolic link" in refuse(work, work.commit_tree(work.tree(*entries)))


def test_a_link_inside_the_tree_is_taken(work: Work) -> None:
    blob = work.blob(b"x")
    folder = work.tree(("100644", b"file", blob), ("120000", b"up", work.blob(b"../file")))
    commit = work.commit_tree(work.tree(("40000", b"dir", folder), ("100644", b"file", blob)))
    work.push(f"{commit}:refs/heads/main")


def test_a_bomb_of_trees_is_refused(work: Work) -> None:
    below = work.tree(*(("100644", b"f%d" % n, work.blob(b"x")) for n in range(10)))
    for _ in range(9):
        below = work.tree(*(("40000", b"d%d" % n, below) for n in range(10)))
    reason = refuse(work, work.commit_tree(below))
    assert "has more than 50,000" in reason


def test_a_bomb_of_empty_directories_is_refused(work: Work) -> None:
    below = work.tree()
    for _ in range(9):
        below = work.tree(*(("40000", b"d%d" % n, below) for n in range(10)))
    assert "has more than 50,000 directories" in refuse(work, work.commit_tree(below))


def test_a_tree_too_deep_is_refused(work: Work) -> None:
    below = work.tree(("100644", b"f", work.blob(b"x")))
    for _ in range(70):
        below = work.tree(("40000", b"d", below))
    assert "more than 64 deep" in refuse(work, work.commit_tree(below))


def test_a_path_too_long_is_refused(work: Work) -> None:
    below = work.tree(("100644", b"f", work.blob(b"x")))
    for _ in range(6):
        below = work.tree(("40000", b"d" * 200, below))
    assert "path of more than 1,024 bytes" in refuse(work, work.commit_tree(below))


def test_a_tree_beyond_its_budget_of_bytes_is_refused(work: Work) -> None:
    work.host.plan["limits"] = {"tree_size": 10 * MB}
    blob = work.blob(b"\0" * 6 * MB)  # one object, named twice
    entries = ("100644", b"a", blob), ("100644", b"b", blob)
    assert "more than 10 MB" in refuse(work, work.commit_tree(work.tree(*entries)))


def raw_push(host: Host, data: bytes) -> str:
    """Send bytes as a client; return what came back."""
    status, text = host.talk(data)
    assert status == 1
    assert b"Traceback" not in text
    assert b"internal error" not in text
    assert_untouched(host)
    return text.decode(errors="replace")


def one_file_push(host: Host, *objects: bytes, count: int | None = None) -> str:
    """Push a commit of an empty tree together with other objects."""
    commit = packs.commit(EMPTY_TREE)
    all_objects = (packs.whole(1, commit), packs.whole(2, b""), *objects)
    data = packs.pack(*all_objects, count=count)
    return raw_push(host, packs.request(packs.identity("commit", commit), data))


def test_a_commit_that_is_not_there_is_refused(host: Host) -> None:
    assert "is missing" in raw_push(host, packs.request("1" * 40, packs.pack()))


@pytest.mark.parametrize("lacking", ["tree", "blob", "parent", "old tree"])
def test_a_push_that_lacks_an_object_is_refused(host: Host, lacking: str) -> None:
    blob, absent = b"x", "2" * 40
    top = packs.tree(
        ("100644", b"f", absent if lacking == "blob" else packs.identity("blob", blob))
    )
    old = packs.commit(absent if lacking == "old tree" else EMPTY_TREE)
    parent = absent if lacking == "parent" else packs.identity("commit", old)
    new = packs.commit(absent if lacking == "tree" else packs.identity("tree", top), parent)
    objects = [(1, new), (1, old), (2, top), (2, b""), (3, blob)]
    data = packs.pack(*(packs.whole(kind, content) for kind, content in objects))
    assert f"{absent} is missing" in raw_push(
        host, packs.request(packs.identity("commit", new), data)
    )


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_a_folder_that_is_a_file_in_the_same_pack_is_refused(
    host: Host, order: tuple[int, ...]
) -> None:
    top = packs.tree(("40000", b"d", packs.identity("blob", b"x")))
    new = packs.commit(packs.identity("tree", top))
    objects = (packs.whole(3, b"x"), packs.whole(2, top), packs.whole(1, new))
    data = packs.pack(*(objects[place] for place in order))
    raw_push(host, packs.request(packs.identity("commit", new), data, ref="refs/heads/other"))


@pytest.mark.parametrize("modes", [("40000", "100644"), ("100644", "40000")])
def test_a_folder_that_is_also_a_file_is_refused(host: Host, modes: tuple[str, str]) -> None:
    top = packs.tree((modes[0], b"a", EMPTY_TREE), (modes[1], b"b", EMPTY_TREE))
    new = packs.commit(packs.identity("tree", top))
    data = packs.pack(packs.whole(1, new), packs.whole(2, top), packs.whole(2, b""))
    raw_push(host, packs.request(packs.identity("commit", new), data, ref="refs/heads/other"))


def test_a_folder_that_is_a_stored_file_is_refused(work: Work) -> None:
    work.commit("app.py", "x")
    work.push("main")
    top = packs.tree(("40000", b"d", packs.identity("blob", b"x")))
    new = packs.commit(packs.identity("tree", top))
    data = packs.pack(packs.whole(1, new), packs.whole(2, top))
    sent = packs.request(packs.identity("commit", new), data, ref="refs/heads/other")
    assert work.host.talk(sent)[0] == 1
    assert "refs/heads/other" not in work.host.refs()


def test_an_object_that_comes_twice_is_refused(host: Host) -> None:
    one_file_push(host, packs.whole(3, b"x"), packs.whole(3, b"x"))


def test_a_branch_that_names_a_blob_is_refused(host: Host) -> None:
    data = packs.pack(packs.whole(3, b"x"))
    assert "not a well-formed commit" in raw_push(
        host, packs.request(packs.identity("blob", b"x"), data)
    )


def test_an_object_that_is_too_large_is_refused_by_what_it_declares(host: Host) -> None:
    shown = one_file_push(host, packs.whole(3, b"\0" * 1000, size=60 * MB))
    assert "has 60 MB; 50 MB are allowed" in shown


def test_a_bomb_of_zeros_is_refused_in_little_memory(host: Host) -> None:
    one_file_push(host, packs.whole(3, b"\0" * 256 * MB))
    assert host.journal("end")[0]["peak_kb"] < 150 * 1024


def test_a_small_delta_with_a_huge_result_is_refused_in_little_memory(host: Host) -> None:
    base = packs.whole(3, b"\0" * 60000)
    shown = one_file_push(host, base, packs.ofs_delta(len(base), packs.copy_delta(60000, 255 * MB)))
    assert "has 255 MB; 50 MB are allowed" in shown
    assert host.journal("end")[0]["peak_kb"] < 150 * 1024


def test_many_deltas_that_unpack_to_too_much_are_refused(host: Host) -> None:
    base = packs.whole(3, b"\0" * 60000)
    objects, distance = [base], len(base)
    for _ in range(55):
        objects.append(packs.ofs_delta(distance, packs.copy_delta(60000, 40 * MB)))
        distance += len(objects[-1])
    shown = one_file_push(host, *objects)
    assert "unpacks to more than 2,048 MB" in shown
    assert "raise max_unpacked in paas.toml" in shown


def test_a_delta_chain_too_deep_is_refused(host: Host) -> None:
    objects = [packs.whole(3, b"a" * 100)]
    for size in range(101, 160):
        delta = packs.ofs_delta(len(objects[-1]), packs.copy_delta(size - 1, size))
        objects.append(delta)
    assert "chain of more than 50 deltas" in one_file_push(host, *objects)


def test_a_chain_by_object_ids_too_deep_is_refused(host: Host) -> None:
    objects, content = [packs.whole(3, b"a" * 100)], b"a" * 100
    for size in range(101, 160):
        delta = packs.copy_delta(len(content), size)
        base = bytes.fromhex(packs.identity("blob", content))
        objects.append(packs.head(7, len(delta)) + base + zlib.compress(delta))
        content = b"a" * size
    assert "chain of more than 50 deltas" in one_file_push(host, *objects)


def test_a_chain_that_names_its_bases_now_by_id_and_now_by_place_is_refused(host: Host) -> None:
    objects, content = [packs.whole(3, b"a" * 100)], b"a" * 100
    for size in range(101, 160):
        delta = packs.copy_delta(len(content), size)
        base = bytes.fromhex(packs.identity("blob", content))
        by_id = packs.head(7, len(delta)) + base + zlib.compress(delta)
        by_place = packs.ofs_delta(len(objects[-1]), delta)
        objects.append(by_id if size % 2 else by_place)
        content = b"a" * size
    assert "chain of more than 50 deltas" in one_file_push(host, *objects)


def test_an_object_that_inflates_to_more_than_it_says_is_refused(host: Host) -> None:
    assert "not as long as it says" in one_file_push(host, packs.whole(3, b"x" * 100, size=10))


def test_an_object_that_inflates_to_less_than_it_says_is_refused(host: Host) -> None:
    assert "not as long as it says" in one_file_push(host, packs.whole(3, b"x" * 100, size=101))


def test_too_many_objects_are_refused_by_their_count(host: Host) -> None:
    assert "brings 300,000 objects; 200,000 are allowed" in one_file_push(host, count=300_000)


def test_a_pack_beyond_the_limit_is_refused_while_it_is_read(work: Work) -> None:
    work.host.plan["limits"] = {"pack": MB}
    commit = work.commit("big", random.Random(1).randbytes(3 * MB).hex())
    assert "larger than 1 MB" in refuse(work, commit)
    assert "raise max_pack in paas.toml" in work.push("main", status=1)


@pytest.mark.parametrize(
    ("setting", "reason"), [("max_pack", "larger than 1 MB"), ("max_unpacked", "more than 1 MB")]
)
def test_the_owner_s_settings_bound_a_push(work: Work, setting: str, reason: str) -> None:
    work.host.plan["settings"] = {setting: MB}
    commit = work.commit("big", random.Random(1).randbytes(MB).hex())
    assert reason in refuse(work, commit)
    work.host.plan["settings"] = {setting: 4 * MB}
    work.push("main")


def test_a_thin_pack_without_its_base_is_refused(host: Host) -> None:
    delta = packs.copy_delta(10, 20)
    thin = packs.head(7, len(delta)) + b"\x11" * 20 + zlib.compress(delta)
    assert one_file_push(host, thin)


def test_a_base_that_is_stored_and_comes_as_well_is_kept_once(work: Work) -> None:
    base = b"q" * 100
    sizes = range(1, 100)
    same = next(b"q" * n for n in sizes if blob_id(b"q" * n) < blob_id(base))
    for content in (base, same):
        work.commit("file", content.decode())
        work.push("main")
    commit = packs.commit(EMPTY_TREE)
    objects = (
        packs.whole(1, commit),
        packs.whole(2, b""),
        by_id(base, packs.copy_delta(100, len(same))),
        by_id(same, packs.copy_delta(len(same), 200)),
    )
    new = packs.identity("commit", commit)
    sent = packs.request(new, packs.pack(*objects), ref="refs/heads/other")
    assert work.host.talk(sent)[0] == 0
    for index in (work.host.repository / "objects" / "pack").glob("*.idx"):
        shown = run_git(work.path, "show-index", stdin=index.read_bytes()).splitlines()
        assert len({line.split()[1] for line in shown}) == len(shown)


def blob_id(content: bytes) -> bytes:
    return bytes.fromhex(packs.identity("blob", content))


def by_id(base: bytes, delta: bytes) -> bytes:
    """A delta that names its base."""
    return packs.head(7, len(delta)) + blob_id(base) + zlib.compress(delta)


def test_a_wrong_checksum_is_refused(host: Host) -> None:
    commit = packs.commit(EMPTY_TREE)
    data = packs.pack(packs.whole(1, commit), packs.whole(2, b""))[:-1] + b"!"
    assert raw_push(host, packs.request(packs.identity("commit", commit), data))


@pytest.mark.parametrize("damage", range(12))
def test_a_damaged_pack_is_refused(host: Host, damage: int) -> None:
    commit = packs.commit(EMPTY_TREE)
    data = bytearray(packs.pack(packs.whole(1, commit), packs.whole(2, b"")))
    data[damage * len(data) // 12] ^= 0xFF
    status, text = host.talk(packs.request(packs.identity("commit", commit), bytes(data)))
    assert (status, b"Traceback" in text) == (1, False)
    assert_untouched(host)


@pytest.mark.parametrize(
    "data",
    [
        b"zzzz",
        b"0003",
        b"00",
        b"0004",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 100,
        pkt_line(b"garbage"),
        pkt_line(f"{packs.ZERO} {'1' * 40}".encode()),
        pkt_line(b"shallow xyz"),
        packs.request("1" * 64, b"", caps="report-status"),
        packs.request("1" * 40, b"", caps="report-status object-format=sha256"),
        packs.request("1" * 40, b"", caps="report-status atomic"),
        pkt_line(b"push-cert\0report-status"),
    ],
)
def test_garbage_is_answered_in_one_line(host: Host, data: bytes) -> None:
    status, text = host.talk(data)
    answer = text.partition(b"ERR ")[2]
    assert status == 1
    assert len(answer) > 10
    assert (answer.count(b"\n"), answer[-1:]) == (1, b"\n")
    assert_untouched(host)


def test_nothing_to_push_is_no_error(host: Host) -> None:
    assert host.talk(pkt_line(None))[0] == 0


@pytest.mark.parametrize(
    "ref",
    [
        "HEAD",
        "config",
        "refs/heads/a..b",
        "refs/heads/x.lock",
        "refs/heads/@{0}",
        "refs/heads/../x",
        "refs/heads/\x1b[2J",
        "refs/paas/deploys/1",
        "refs/heads/-x",
        "refs/heads/" + "x" * 300,
    ],
)
def test_a_funny_ref_is_refused(host: Host, ref: str) -> None:
    commit = packs.commit(EMPTY_TREE)
    data = packs.pack(packs.whole(1, commit), packs.whole(2, b""))
    status, text = host.talk(packs.request(packs.identity("commit", commit), data, ref=ref))
    assert status == 1
    assert b"funny refname" in text or b"only branches and tags" in text
    assert_untouched(host)


def test_a_stale_value_is_not_believed(work: Work) -> None:
    first = work.commit()
    work.push("main")
    commit = packs.commit(EMPTY_TREE)
    data = packs.pack(packs.whole(1, commit), packs.whole(2, b""))
    sent = packs.request(packs.identity("commit", commit), data, old="3" * 40)
    status, text = work.host.talk(sent)
    assert status == 1
    assert b"ng refs/heads/main fetch first" in text
    assert work.host.refs()["refs/heads/main"] == first
    assert work.host.journal("lock failed")  # its owner knows that nothing was taken


def test_a_client_without_sideband_gets_a_right_answer(host: Host) -> None:
    commit = packs.commit(EMPTY_TREE)
    data = packs.pack(packs.whole(1, commit), packs.whole(2, b""))
    sent = packs.request(packs.identity("commit", commit), data, caps="report-status")
    status, text = host.talk(sent)
    answer = text.rpartition(b"0000")[0].rpartition(b"000eunpack")[2]
    assert status == 0
    assert answer == b" ok\n0017ok refs/heads/main\n"
    assert b"----->" not in text


def test_a_client_without_report_status_is_told_by_the_exit_status(host: Host) -> None:
    host.plan["deploy"] = "fail"
    commit = packs.commit(EMPTY_TREE)
    data = packs.pack(packs.whole(1, commit), packs.whole(2, b""))
    sent = packs.request(packs.identity("commit", commit), data, caps="side-band-64k")
    assert host.talk(sent)[0] == 1


def test_upload_pack_answers_garbage_in_one_line(work: Work) -> None:
    work.commit()
    work.push("main")
    for data in (b"zzzz", pkt_line(b"want xyz"), pkt_line(b"want " + b"1" * 40 + b"\n")):
        status, text = work.host.talk(data, "git-upload-pack")
        assert status == 1
        assert b"ERR " in text
        assert b"Traceback" not in text
