"""What all processes of one idle installation occupy: PSS, so that what they share counts once."""

import time

from bench.measure import Row, Sample
from tests.journeys.belongings import memory
from tests.journeys.instance import Instance

LOOKS = 5


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return a row for all, and in its note one figure per process."""
    time.sleep(2 if quick else 10)  # nothing is asked of it meanwhile
    looks = look(instance, LOOKS)
    total = Sample(tuple(sum(each.values()) for each in looks))
    last = [f"{name} {size:.0f} MB" for name, size in looks[-1].items()]
    return [Row("idle memory of all paas processes (PSS)", total, "MB", 90, note=", ".join(last))]


def look(instance: Instance, times: int) -> list[dict[str, float]]:
    """Return {process: PSS in MB}, so many times in a row."""
    looks = []
    for _ in range(times):
        looks.append(memory(instance))
        time.sleep(0.5)
    return looks
