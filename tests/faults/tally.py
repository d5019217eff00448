"""How often a fault was tried, how often it hit, and how often everything was whole afterwards."""

import contextlib
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


class Missed(Exception):
    """The fault came too early or too late: it does not count, and another instant is drawn."""


@dataclass
class Tally:
    """The figures of one kind of fault. A fault that was never seen to hit does not count."""

    what: str
    hits: int = 0
    whole: int = 0
    seconds: list[float] = field(default_factory=list)  # from the fault until all was whole
    failures: list[str] = field(default_factory=list)
    lost: int = 0  # requests of somebody who visits the app all the time
    asked: int = 0
    note: str = ""
    among: dict[str, int] = field(default_factory=dict)  # how many of the hits were what

    @contextlib.contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Count one fault; one that is not mended is noted, and the next is tried.

        The body calls hit() as soon as it has seen that the fault was there.
        """
        hits, started, verdict = self.hits, time.monotonic(), "whole"
        try:
            yield
            assert self.hits == hits + 1, "the fault never hit"
            self.whole += 1
        except Missed:
            verdict = "missed"
        except AssertionError as error:
            verdict = str(error)
            self.failures.append(f"{name}: {error}")
        print(f"  {self.what}, {name}: {verdict} ({time.monotonic() - started:.1f} s)", flush=True)

    def hit(self) -> None:
        """Say that the fault was seen to be there."""
        self.hits += 1

    @property
    def is_good(self) -> bool:
        """Whether every fault hit and was mended."""
        return bool(self.hits) and self.whole == self.hits and not self.failures

    def add(self, other: "Tally") -> None:
        """Add another run of the same kind."""
        self.what, self.note = other.what, other.note or self.note
        self.hits, self.whole = self.hits + other.hits, self.whole + other.whole
        self.lost, self.asked = self.lost + other.lost, self.asked + other.asked
        self.seconds, self.failures = self.seconds + other.seconds, self.failures + other.failures
        self.among = {
            key: self.among.get(key, 0) + other.among.get(key, 0)
            for key in {*self.among, *other.among}
        }

    @property
    def cells(self) -> tuple[str, ...]:
        """Return what stands in a line of the table."""
        hits = f"{self.whole} of {self.hits}"
        lost = f"{self.lost} of {self.asked + self.lost}"
        counts = [f"{count} of them {what}" for what, count in sorted(self.among.items())]
        note = "; ".join(filter(None, [*counts, self.note if self.lost else ""]))
        return self.what, hits, self.recovery, lost, note

    @property
    def recovery(self) -> str:
        """Return median, 95th percentile and maximum of the seconds until all was whole."""
        if not self.seconds:
            return ""
        ordered = sorted(self.seconds)
        p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
        return f"{statistics.median(ordered):.1f} / {p95:.1f} / {ordered[-1]:.1f}"
