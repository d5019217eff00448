"""`python -m tests.faults`: injects faults into installations of its own.

The long form of all writes docs/reliability.md; `--quick` takes the short one; names run only
those; a seed that was printed repeats what was drawn.
"""

import argparse
import datetime as dt
import secrets
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from bench.__main__ import describe_machine
from tests.faults.suite import SCENARIOS, inject
from tests.faults.tally import Tally

REPORT = Path(__file__).parent.parent.parent / "docs" / "reliability.md"
TEXT = """\
# Reliability

Written by `just faults` on {date}, seed {seed} (`just faults --seed {seed}` draws the same).

Each fault was seen to hit, or it does not count. "Whole" means: what answers is the version from
before or the one from after; no container, network, volume, image, file or hidden ref too many; the
branch stands where the last deploy put it; the database passes SQLite's integrity check; and the
next push goes live. "Seconds" are from the fault, or from the return of what was away, until all of
that was so, without the images and files that go once a minute. All the time a visitor asks for the
app, 20 times a second, by GET and POST, over new and kept connections, and never asks twice; where
the fault is nginx itself, or the app's own container, the visitor rests.

The machine: {machine}.

| fault | whole | seconds: median / 95 % / most | requests lost | |
| --- | --- | --- | --- | --- |
{rows}

{failures}
"""


def main() -> int:
    """Run what was asked for; return 1 when anything was not whole."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 16))
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENARIOS))
    asked = parser.parse_args()
    if unknown := set(asked.names).difference(SCENARIOS):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    print(f"seed {asked.seed}", flush=True)
    tallies = [run(name, asked.seed, quick=asked.quick) for name in asked.names or SCENARIOS]
    if not asked.quick and not asked.names:
        REPORT.write_text(report(tallies, asked.seed))
    return 0 if all(tally.is_good for tally in tallies) else 1


def run(name: str, seed: int, *, quick: bool) -> Tally:
    """Inject one kind of fault into a world of its own; a broken world does not end the run."""
    try:
        with SCENARIOS[name].build(seed) as world:
            tally = inject(name, world, quick=quick)
    except Exception:  # noqa: BLE001 - it is told, and it counts
        tally = Tally(name, failures=[traceback.format_exc()])
    print(tally.row(), *tally.failures, sep="\n", flush=True)
    return tally


def report(tallies: Sequence[Tally], seed: int) -> str:
    """Return the page."""
    failures = [f"- {tally.what}: {text}" for tally in tallies for text in tally.failures]
    return TEXT.format(
        date=dt.datetime.now(dt.UTC).date().isoformat(),
        seed=seed,
        machine=describe_machine(),
        rows="\n".join(tally.row() for tally in tallies),
        failures="\n".join(["Not whole:", "", *failures] if failures else ["All were whole."]),
    )


if __name__ == "__main__":
    sys.exit(main())
