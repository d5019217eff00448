"""A request that names too much is refused in words that the client shows."""

import pytest
from dulwich.protocol import pkt_line

from tests.git import packs
from tests.git.conftest import Host, Work

COMMAND = f"{packs.ZERO} {'1' * 40} refs/heads/main"
FATAL = b"\x03"  # the band on which git prints why the other side gave up


def add_tags(work: Work, count: int) -> None:
    head = work.head()
    lines = (f"{head} refs/tags/t{number:06}\n" for number in range(count))
    (work.path / ".git" / "packed-refs").write_text("".join(lines))


@pytest.mark.parametrize("count", [1005, 30_000])
def test_more_tags_than_one_push_may_name_are_refused_in_words(work: Work, count: int) -> None:
    work.commit()
    add_tags(work, count)
    shown = work.push("--tags", status=128)
    assert "remote: more than 1,000 refs in one push: push fewer refs at once\n" in shown
    assert "protocol error" not in shown
    assert work.host.refs() == {}


def test_just_as_many_tags_as_one_push_may_name_are_taken(work: Work) -> None:
    work.host.plan["limits"] = {"commands": 30}
    work.commit()
    add_tags(work, 30)
    work.push("--tags")
    assert len(work.host.refs()) == 30


def test_more_push_options_than_anybody_means_are_refused_in_words(work: Work) -> None:
    work.commit("big", "x" * 1_000_000)
    options = [word for number in range(21) for word in ("-o", f"no-cache={number}")]
    shown = work.push(*options, "main", status=128)
    assert "remote: more than 20 push options\n" in shown
    work.push(*options[:40], "main")


def test_a_client_without_sideband_is_told_as_well(host: Host) -> None:
    host.plan["limits"] = {"commands": 10, "options": 20}
    line = pkt_line(f"{COMMAND}\0report-status push-options".encode())
    assert b"ERR more than 10 refs" in host.talk(line * 11 + pkt_line(None))[1]
    options = pkt_line(b"no-cache") * 21 + pkt_line(None)
    assert b"ERR more than 20 push options" in host.talk(line + pkt_line(None) + options)[1]


def test_a_malformed_command_is_answered_where_git_listens(host: Host) -> None:
    _, text = host.talk(packs.request("1" * 64))
    assert FATAL + b"an object id is malformed" in text
    assert b"ERR " not in text


def test_edges_of_a_shallow_history_are_not_called_refs(host: Host) -> None:
    host.plan["limits"] = {"edges": 10}
    edges = b"".join(pkt_line(f"shallow {number:040}".encode()) for number in range(11))
    status, text = host.talk(edges + packs.request("1" * 40))
    assert status == 1
    assert FATAL + b"more than 10 commits at the edge of a shallow history" in text
    assert b"git fetch --unshallow" in text


def test_the_same_edge_again_and_again_is_counted(host: Host) -> None:
    host.plan["limits"] = {"edges": 10}
    edges = pkt_line(b"shallow " + b"1" * 40) * 11
    assert b"more than 10 commits at the edge" in host.talk(edges + packs.request("1" * 40))[1]


@pytest.mark.parametrize("line", [b"shallow " + b"1" * 40, f"{COMMAND}\0report-status".encode()])
def test_lines_without_end_are_not_read_for_ever(host: Host, line: bytes) -> None:
    status, text = host.talk(pkt_line(line) * 100_001)
    assert status == 1
    assert b"the push names too much" in text


def test_what_is_too_much_is_not_kept(host: Host) -> None:
    caps = "report-status side-band-64k push-options"
    options = pkt_line(b"x" * 60_000) * 2000 + pkt_line(None)
    status, text = host.talk(packs.request("1" * 40, options, caps=caps))
    assert (status, FATAL + b"more than 20 push options" in text) == (1, True)
    assert host.journal("end")[0]["peak_kb"] < 100 * 1024
