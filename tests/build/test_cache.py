"""Which records of the engine's build cache are ours, and which of them go first."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from paas.build.cache import own_records, read_ledger, records_in, removable, write_ledger
from paas.build.trim import trim

SECOND = 1_000_000_000
START = 1_795_000_000 * SECOND
RUN = ("[deps 2/4] RUN --mount=type=cache,target=/c pip install -r x", START, START + SECOND)
COPY = ("[app 3/3] COPY . /app", START, START + SECOND)


def record(name: str, description: str, at: float = 0.5, **more: object) -> dict[str, Any]:
    stamp = f"{datetime.fromtimestamp(START / SECOND + at, UTC):%Y-%m-%dT%H:%M:%S.%f}000Z"
    usual = {"ID": name, "Description": description, "CreatedAt": stamp, "LastUsedAt": stamp}
    return {**usual, "InUse": False, "Shared": False, "Size": 100, **more}


MOUNT = "mount / from exec /bin/sh -c pip install -r x"
CACHED = "cached mount /c from exec /bin/sh -c pip install -r x"


def test_a_run_s_records_are_those_of_its_command_in_its_time() -> None:
    records = [
        record("mine", MOUNT),
        record("mount", CACHED),
        record("other", "mount / from exec /bin/sh -c make"),
        record("early", MOUNT, -1),
        record("late", MOUNT, 2),
    ]
    assert own_records([RUN], records) == {"mine", "mount"}


def test_two_candidates_are_nobody_s() -> None:
    assert own_records([RUN], [record("a", MOUNT), record("b", MOUNT)]) == frozenset()
    files = [record("a", "fileop target"), record("b", "fileop target")]
    assert own_records([COPY], files) == frozenset()
    assert own_records([COPY], files[:1]) == {"a"}
    assert own_records([COPY], [record("c", COPY[0]), record("d", "[x 1/1] COPY . /")]) == {"c"}


class Engine:
    """Prunes records by id, unless others were made on top of them."""

    def __init__(self, children: dict[str, str] | None = None) -> None:
        self.children = children or {}
        self.pruned: list[str] = []

    def prune_builds(self, filters: dict[str, list[str]], all: bool) -> dict[str, object]:  # noqa: A002 - the engine's word
        assert all
        [record] = filters["id"]
        if self.children.get(record) not in {None, *self.pruned}:
            return {"CachesDeleted": None, "SpaceReclaimed": 0}
        self.pruned.append(record)
        return {"CachesDeleted": [record], "SpaceReclaimed": 100}


def trimmed(
    engine: Engine, records: list[dict[str, Any]], budget: int, target: int | None = None
) -> list[str]:
    ids = [r["ID"] for r in records if r["ID"] != "foreign"]
    ours = removable(records, ids, has_containerd=False)
    return trim(cast("Any", engine), ours, budget, budget if target is None else target)


def test_what_was_not_used_for_longest_goes_until_the_rest_fits() -> None:
    records = [record(name, MOUNT, at) for name, at in (("c", 3), ("a", 1), ("b", 2))]
    assert trimmed(Engine(), records, 300) == []
    assert trimmed(Engine(), records, 250) == ["a"]
    assert trimmed(Engine(), records, 0) == ["a", "b", "c"]


def test_where_each_removal_costs_it_is_done_rarely_and_then_more_of_it() -> None:
    records = [record(name, MOUNT, at) for name, at in (("c", 3), ("a", 1), ("b", 2))]
    assert trimmed(Engine(), records, 300, target=150) == []
    assert trimmed(Engine(), records, 299, target=150) == ["a", "b"]


def test_both_answers_of_engines_are_understood() -> None:
    records = [record("a", MOUNT), record("b", MOUNT)]
    assert list(records_in({"BuildCache": records})) == records
    assert list(records_in({"BuildCacheUsage": {"Items": records, "TotalCount": 2}})) == records
    assert records_in({"BuildCacheUsage": {"TotalCount": 0}}) == ()
    assert records_in({"BuildCache": None}) == ()


def test_foreign_shared_and_used_records_are_left_alone() -> None:
    records = [record("foreign", MOUNT), record("used", MOUNT, InUse=True)]
    records += [record("shared", MOUNT, Shared=True), record("mine", MOUNT)]
    assert trimmed(Engine(), records, 0) == ["mine"]
    ids = {"shared", "used", "mine"}
    kept = removable(records, ids, has_containerd=True)
    assert [record["ID"] for record in kept] == ["shared", "mine"]


def test_a_record_goes_after_those_on_top_of_it_and_never_for_ever() -> None:
    records = [record(name, MOUNT, at) for name, at in (("base", 1), ("top", 2), ("held", 3))]
    engine = Engine({"base": "top", "held": "somebody else's"})
    assert trimmed(engine, records, 0) == ["top", "base"]


def test_the_ledger_is_kept(tmp_path: Path) -> None:
    assert read_ledger(tmp_path / "x.json") == frozenset()
    write_ledger(tmp_path / "x.json", {"b", "a"})
    assert read_ledger(tmp_path / "x.json") == {"a", "b"}
