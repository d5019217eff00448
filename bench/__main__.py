"""`python -m bench`: measures everything on an installation of its own; writes docs/performance.md.

`--quick` takes fewer turns and writes nothing; names of benches run only those.
"""

import argparse
import datetime as dt
import importlib
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import docker

from bench.measure import Row, table
from tests.journeys.instance import running

BENCHES = (
    "push_to_live", "changed_dependency", "rollback", "cli", "proxy", "neighbour", "memory",
)  # fmt: skip
REPORT = Path(__file__).parent.parent / "docs" / "performance.md"
TEXT = """\
# Performance

Written by `python -m bench` on {date}. Each bench measures its floor in turns with paas, in
the same run on the same machine, so that the ratios hold where the seconds do not.

The machine: {machine}.

{table}
"Met" compares the median. Quartiles tell how steady the machine was.
"""


def main() -> int:
    """Run what was asked for; return 1 when a number is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    asked = parser.parse_args()
    names = asked.names or BENCHES
    if unknown := set(names).difference(BENCHES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}")
    rows = run(names, quick=asked.quick)
    if not asked.quick and not asked.names:
        REPORT.write_text(report(rows))
    return 0 if all(row.is_met for row in rows) else 1


def run(names: Sequence[str], *, quick: bool) -> list[Row]:
    """Set up an installation, run the benches one after the other, print each table."""
    rows: list[Row] = []
    with running() as instance:
        for name in names:
            measured = importlib.import_module(f"bench.{name}").measure(instance, quick=quick)
            print(table(measured), flush=True)
            rows += measured
    return rows


def report(rows: Sequence[Row]) -> str:
    """Return the page."""
    date = dt.datetime.now(dt.UTC).date().isoformat()
    return TEXT.format(date=date, machine=describe_machine(), table=table(rows))


def describe_machine() -> str:
    """Return cores, memory, kernel, engine and Python; no name and no path."""
    engine = docker.APIClient()
    version = engine.version()["Version"]
    engine.close()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    one, five, _ = os.getloadavg()
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, Linux {platform.release()}, "
        f"Docker Engine {version}, Python {platform.python_version()}, "
        f"load average at the end {one:.1f} ({five:.1f} over five minutes)"
    )


if __name__ == "__main__":
    sys.exit(main())
