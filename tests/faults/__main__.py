"""`python -m tests.faults`: injects faults into installations of its own.

Names choose kinds of faults, else all are run; a seed that was printed repeats what was drawn. The
long form keeps its figures and writes docs/reliability.md; `--quick` takes a short one.
"""

import argparse
import secrets
import sys
import traceback

from tests.faults import page
from tests.faults.suite import SCENARIOS, inject, is_clean
from tests.faults.tally import Tally


def main() -> int:
    """Run what was asked for; return 1 when anything was not whole."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 16))
    parser.add_argument(
        "--rounds", type=int, help="of what is drawn: so many more, beside what is kept"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SCENARIOS))
    asked = parser.parse_args()
    if unknown := set(asked.names).difference(SCENARIOS):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    print(f"seed {asked.seed}", flush=True)
    names = asked.names or SCENARIOS
    tallies = [run(name, asked.seed, asked.rounds, quick=asked.quick) for name in names]
    return 0 if all(tally.is_good for tally in tallies) else 1


def run(name: str, seed: int, rounds: int | None, *, quick: bool) -> Tally:
    """Inject one kind of fault into a world of its own; a broken world does not end the run."""
    try:
        with SCENARIOS[name].build(seed) as world:
            tally = inject(name, world, quick=quick, rounds=rounds)
            is_clean(world, tally)
    except Exception:  # noqa: BLE001 - it is told, and it counts
        tally = Tally(name, failures=[traceback.format_exc()])
    print(" | ".join(tally.cells), *tally.failures, sep="\n", flush=True)
    if not quick:
        page.keep(name, tally, seed, more=rounds is not None)
        page.write(SCENARIOS)
    return tally


if __name__ == "__main__":
    sys.exit(main())
