"""The conformance table says what is so: rows against the commands that there are."""

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest

from paas import dispatch
from paas.commands.declare import REGISTRY
from tests.commands.conftest import Person
from tests.commands.conftest import paas as _paas
from tests.conformance.table import Row, page, read_rows, read_verbs

paas = _paas
dispatch.load_commands()
ROWS = read_rows()
WORDS = {*REGISTRY, *(command.topic for command in REGISTRY.values())}  # a topic prints its help
PAGE = Path(__file__).parents[2] / "docs" / "dokku-conformance.md"
CASES = [pytest.param(row, id=row.verb) for row in ROWS]
SAME = [pytest.param(row, id=row.verb) for row in ROWS if row.status == "same"]


def test_every_verb_has_one_row() -> None:
    counts = Counter(row.verb for row in ROWS)
    assert [verb for verb in read_verbs() if verb not in counts] == []
    assert [(r.verb, r.file) for r in ROWS if counts[r.verb] > 1] == []


@pytest.mark.parametrize("row", CASES)
def test_a_row_says_what_is_so(row: Row) -> None:
    assert row.status in {"same", "differs", "later", "no"}
    assert row.why.strip() or row.status == "same"
    assert "|" not in row.why
    pattern = re.compile(re.escape(row.ours).replace(r"\*", ".*"))
    is_there = any(pattern.fullmatch(word) for word in WORDS)
    assert is_there == (row.status in {"same", "differs"}), f"{row.verb} in {row.file}"


@pytest.mark.parametrize("row", SAME)
def test_a_verb_that_is_the_same_explains_itself_and_takes_its_examples(
    row: Row, paas: Person
) -> None:
    command = REGISTRY[row.ours]
    assert f"-----> {row.ours}" in paas("help", command.topic).out
    paas.push("shop")
    for example in command.examples:
        words = shlex.split(example.partition(" < ")[0].partition(" > ")[0].partition(" | ")[0])
        if words[0] == row.ours and "-t" not in words:  # what follows has no end
            typed = paas(*words, text_in="shop\n")
            assert typed.status != 2, (example, typed.err)
            assert "made a mistake" not in typed.err


def test_the_page_is_what_the_rows_say() -> None:
    assert PAGE.read_text() == page(ROWS), "run: just docs"
