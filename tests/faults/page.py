"""What was measured, kept per kind of fault, and docs/reliability.md made of all of it."""

import datetime as dt
import json
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.faults.tally import Tally

FIGURES = Path(__file__).parent / "figures"
PAGE = Path(__file__).parent.parent.parent / "docs" / "reliability.md"
HEAD = """\
# Reliability

Written by `just faults`, which runs each kind of fault in an installation of its own and keeps what
came of it; every line tells the seeds and the days of its runs (`just faults --seed N NAME` draws
the same instants). What each single fault should do, and which test shows it, stands in
[faults.md](faults.md).

Each fault was seen to hit, or it does not count. "Whole" means: what answers is the version from
before or the one from after; no container, network, volume, image, file or hidden ref too many; the
branch stands where the last deploy put it; the database passes SQLite's integrity check; and the
next push goes live. "Seconds" are from the fault, or from the return of what was away, until all of
that was so, without the images and files that go once a minute. All the time a visitor asks for the
app, 20 times a second, by GET and POST, over new and kept connections, and never asks twice; where
the fault takes nginx itself, or the app's own container, the visitor rests.

| name | fault | whole | seconds: median / 95 % / most | requests lost | seed, day | |
| --- | --- | --- | --- | --- | --- | --- |
"""


def keep(name: str, tally: Tally, seed: int, *, more: bool) -> None:
    """Keep what came of a run: beside what is kept if it is `more` of the same, else instead."""
    FIGURES.mkdir(exist_ok=True)
    run = {
        "seed": seed,
        "day": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": _machine(),
        **vars(tally),
    }
    runs = [*(_runs(name) if more else []), run]
    (FIGURES / f"{name}.json").write_text(json.dumps(runs, indent=1) + "\n")


def write(names: Iterable[str]) -> None:
    """Write the page from all that was kept; a name without figures gets a line that says so."""
    kept = {name: _runs(name) for name in names}
    rows = [_row(name, runs) for name, runs in kept.items()]
    machines = sorted({str(run["machine"]) for runs in kept.values() for run in runs})
    failures = [f"- {n}: {text}" for n, runs in kept.items() for text in _sum(n, runs).failures]
    end = ["", *(f"The machine: {machine}." for machine in machines), ""]
    end += ["Not whole:", "", *failures] if failures else ["All were whole."]
    PAGE.write_text(HEAD + "\n".join([*rows, *end]) + "\n")


def _runs(name: str) -> list[Mapping[str, object]]:
    file = FIGURES / f"{name}.json"
    return list(json.loads(file.read_text())) if file.exists() else []


def _row(name: str, runs: list[Mapping[str, object]]) -> str:
    if not runs:
        return f"| {name} | not run in its long form yet | | | | | |"
    drawn = ", ".join(dict.fromkeys(f"{run['seed']} on {run['day']}" for run in runs))
    *cells, note = _sum(name, runs).cells
    return f"| {' | '.join([name, *cells, drawn, note])} |"


def _sum(name: str, runs: list[Mapping[str, object]]) -> Tally:
    """Return one tally of several runs."""
    total = Tally(name)
    for run in runs:
        total.add(Tally(**{k: v for k, v in run.items() if k in vars(total)}))  # type: ignore[arg-type]  # as keep() wrote them
    return total


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {memory:.0f} GB, Linux {platform.release()}"
