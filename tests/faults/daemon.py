"""`python -m tests.faults.daemon TRAP`: `paas serve` with tripwires."""

import sys
from pathlib import Path

from paas import service
from paas.settings import load
from tests.faults.tripwires import Trap, wrap_all

if __name__ == "__main__":
    wrap_all(Trap(Path(sys.argv[1])))
    service.serve(load())
