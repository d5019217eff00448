"""What deploys in a row leave behind: nothing, after the first that fill the retention."""

import time
from collections import Counter
from dataclasses import dataclass, field

from bench.apps import STATIC_SERVER
from bench.live import LiveApp
from bench.measure import Row, Sample
from tests.journeys.belongings import count, descriptors, private_memory
from tests.journeys.instance import Instance

DEPLOYS, WARM, FEW = 200, 12, 20  # releases:set retention is 10
QUIET = 150.0  # seconds: what is pruned once a minute has then been pruned
GROWS = 2.0  # MB that a process may seem to grow by: what it shares with others becomes its own
# Packs, of two or three files, are joined at 50; notes on caches are few; each deploy has a log.
LIMITS = {
    "files of packs": 150,
    "notes on build caches": 20,
    "logs of deploys": None,
    "logs of replaced processes": None,
}


@dataclass
class Course:
    """What was there after each deploy, by process."""

    memory: dict[str, list[float]] = field(default_factory=dict)
    descriptors: dict[str, list[float]] = field(default_factory=dict)

    def note(self, instance: Instance) -> None:
        """Look now."""
        for name, size in private_memory(instance).items():
            self.memory.setdefault(name, []).append(size)
        for name, number in descriptors(instance).items():
            self.descriptors.setdefault(name, []).append(number)


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return a row per kind of thing, with what there is more of it after all deploys."""
    deploys, few = (12, 4) if quick else (DEPLOYS, FEW)
    app = LiveApp(instance, "leaky", STATIC_SERVER, {"requirements.txt": ""})
    course = Course()
    for number in range(WARM):
        app.deploy(f"warm {number}")
    before = at_rest(instance, app)
    for number in range(deploys):
        app.write(f"v{number}")
        app.push(f"v{number}")
        course.note(instance)
    after = at_rest(instance, app)
    return [
        *(kind_row(kind, before[kind], after[kind], deploys) for kind in sorted(before | after)),
        *(grown(f"open files of the {n}", "", v, few) for n, v in course.descriptors.items()),
        *(grown(f"private memory of the {n}", "MB", v, few) for n, v in course.memory.items()),
    ]


def at_rest(instance: Instance, app: LiveApp) -> Counter[str]:
    """Return what there is when all is done that is done after deploys."""
    app.settle()
    time.sleep(QUIET)
    return count(instance)


def kind_row(kind: str, before: int, after: int, deploys: int) -> Row:
    """Return how many more there are."""
    limit = LIMITS.get(kind, 0)
    more = Sample((float(after - before),))
    return Row(f"{kind} more after {deploys} deploys", more, "", limit, note=f"{before}, {after}")


def grown(what: str, unit: str, values: list[float], few: int) -> Row:
    """Return by how much the last values are higher than the first."""
    first, last = Sample(tuple(values[:few])), Sample(tuple(values[-few:]))
    more = Sample((last.median - first.median,))
    note = f"first {few}: {first.show(unit)}; last {few}: {last.show(unit)}"
    return Row(f"growth of {what}", more, unit, GROWS if unit else 0, note=note)
