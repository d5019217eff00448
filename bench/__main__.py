"""`python -m bench`: measures on an installation of its own; writes docs/performance.md.

Names of benches run only those, and replace only their sections of the page. `--quick` takes fewer
turns and writes nothing.
"""

import argparse
import importlib
import sys
import time
from pathlib import Path
from types import ModuleType

from bench.measure import Row, table
from bench.page import merge, section
from tests.journeys.instance import Instance, running

BENCHES = (
    "push_to_live", "changed_dependency", "rollback", "cli", "proxy", "zero_downtime", "many_apps",
    "leaks", "memory", "receive", "doors",
)  # fmt: skip
REPORT = Path(__file__).parent.parent / "docs" / "performance.md"


def main() -> int:
    """Run what was asked for; return 1 when a number is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    asked = parser.parse_args()
    names = asked.names or BENCHES
    if unknown := set(names).difference(BENCHES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}")
    is_met = True
    for name in names:
        bench = importlib.import_module(f"bench.{name}")
        # One each: what another has left would be measured too.
        with running(**getattr(bench, "SETTINGS", {})) as instance:
            rows = run(name, bench, instance, quick=asked.quick)
        is_met &= all(row.is_met for row in rows)
    return 0 if is_met else 1


def run(name: str, bench: ModuleType, instance: Instance, *, quick: bool) -> list[Row]:
    """Run one bench, print its table, and put it into the page."""
    start = time.monotonic()
    rows: list[Row] = bench.measure(instance, quick=quick)
    took = time.monotonic() - start
    print(f"{name}: {took:.0f} s\n{table(rows)}", flush=True)
    if not quick:
        about = " ".join((bench.__doc__ or "").split())
        REPORT.write_text(merge(REPORT.read_text(), {name: section(about, rows, took)}, BENCHES))
    return rows


if __name__ == "__main__":
    sys.exit(main())
