"""docs/faults.md names what shows each line; what it names is there."""

import re
from pathlib import Path

from tests.faults.suite import SCENARIOS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "faults.md").read_text()


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"(tests/\S+\.py)::(\w+)", PAGE)
    assert len(named) > len(PAGE.splitlines()) // 2
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(), f"{file}::{test}"


def test_every_kind_of_fault_is_named_and_no_other() -> None:
    assert set(re.findall(r"`faults (\w+)`", PAGE)) == set(SCENARIOS)


def test_every_line_without_a_test_says_that_it_is_for_later() -> None:
    rows = [row for row in PAGE.splitlines() if re.match(r"\| \d+ \|", row)]
    assert [int(row.split("|")[1]) for row in rows] == list(range(1, 41))
    bare = [row for row in rows if not re.search(r"::|`faults|performance\.md", row)]
    assert all("Later:" in row for row in bare)
