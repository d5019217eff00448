"""Samples, ratios, and the rows of the table."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """Values of one kind, measured one after the other."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high

    def show(self, unit: str) -> str:
        """Return `median (quartiles, n)` in "s", "ms", "MB", "/s" or "x"."""
        low, high = (format_value(value, unit) for value in self.quartiles)
        return f"{format_value(self.median, unit)} {unit} ({low} to {high}, n={len(self.values)})"


@dataclass(frozen=True)
class Row:
    """One line of the table. `limit` is in the sample's unit; a rate must be above its limit."""

    what: str
    sample: Sample
    unit: str
    limit: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def is_met(self) -> bool:
        if self.limit is None:
            return True
        got = self.sample.median
        return got >= self.limit if self.at_least else got <= self.limit

    def cells(self) -> tuple[str, str, str, str, str]:
        if self.limit is None:
            reach, verdict = "", ""
        else:
            sign = ">=" if self.at_least else "<="
            reach = f"{sign} {self.limit:g} {self.unit}"
            verdict = "yes" if self.is_met else "**no**"
        return self.what, self.sample.show(self.unit), reach, verdict, self.note


def table(rows: Sequence[Row]) -> str:
    """Return the rows as Markdown."""
    head = ("what", "median (quartiles, n)", "reach", "met", "how")
    lines = [head, ("---",) * len(head), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def format_value(value: float, unit: str) -> str:
    """Return a value with as many digits as mean something in its unit."""
    digits = {"s": 2, "ms": 0, "MB": 0, "/s": 0, "x": 2}.get(unit, 0)
    return f"{value:.{digits}f}"


def time_call(call: Callable[[], object]) -> float:
    """Return how many seconds the call took."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turns(rounds: int, *calls: Callable[[int], float]) -> tuple[Sample, ...]:
    """Return a sample per call: each gets the round's number and returns its value.

    They take turns, and every other round in reverse, so that what else the machine does hits all.
    """
    values: list[list[float]] = [[] for _ in calls]
    for number in range(rounds):
        order = range(len(calls)) if number % 2 == 0 else reversed(range(len(calls)))
        for index in order:
            values[index].append(calls[index](number))
    return tuple(Sample(tuple(each)) for each in values)


def ratios(ours: Sample, floor: Sample) -> Sample:
    """Return the ratio of each turn."""
    pairs = zip(ours.values, floor.values, strict=True)
    return Sample(tuple(our / other for our, other in pairs if not math.isclose(other, 0)))
