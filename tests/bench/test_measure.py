"""The arithmetic behind docs/performance.md."""

from functools import partial

import pytest

from bench.measure import Row, Sample, in_turns, ratios, table


def test_a_ratio_is_taken_turn_by_turn_and_not_of_medians() -> None:
    ours, floor = Sample((2.0, 6.0, 3.0)), Sample((1.0, 2.0, 3.0))
    assert ratios(ours, floor).values == (2.0, 3.0, 1.0)


def test_every_other_round_is_in_reverse() -> None:
    order: list[str] = []

    def call(name: str, number: int) -> float:
        order.append(f"{name} {number}")
        return number

    ours, bare = in_turns(2, partial(call, "ours"), partial(call, "bare"))
    assert order == ["ours 0", "bare 0", "bare 1", "ours 1"]
    assert ours.values == bare.values == (0, 1)


@pytest.mark.parametrize(
    ("value", "at_least", "met"),
    [(1.0, False, True), (1.01, False, False), (0.9, True, False), (1.0, True, True)],
)
def test_a_limit_holds_the_median(value: float, at_least: bool, met: bool) -> None:
    row = Row("x", Sample((0.1, value, 9.0)), "x", 1.0, at_least=at_least)
    assert row.is_met is met


def test_a_missed_number_cannot_be_overlooked_in_the_table() -> None:
    row = Row("push", Sample((1.0, 2.0, 4.0)), "s", 1.5, note="how")
    last = table([row]).splitlines()[-1]
    assert last == "| push | 2.00 s (1.50 to 3.00, n=3) | <= 1.5 s | **no** | how |"
