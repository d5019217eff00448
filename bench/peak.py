"""The most memory that some processes occupied together while something else went on."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from tests.journeys.belongings import children, name_of, pss

LOOK = 0.05


@dataclass
class Peak:
    """MB: PSS, so that what they share with others counts by its share only."""

    size: float = 0.0


@contextlib.contextmanager
def watched(root: int, name: str) -> Iterator[Peak]:
    """Watch the processes below `root` that are called `name`, with all that they started."""
    peak, stop = Peak(), threading.Event()

    def watch() -> None:
        while not stop.wait(LOOK):
            found = {
                pid for each in below(root) if name_of(each) == name for pid in (each, *below(each))
            }
            peak.size = max(peak.size, sum(_pss(pid) for pid in found))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def below(pid: int) -> list[int]:
    """Return all that a process has started, and what those have, as far as it still runs."""
    with contextlib.suppress(OSError):
        return [each for child in children(pid) for each in (child, *below(child))]
    return []


def _pss(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError):  # it has just ended
        return pss(pid)
    return 0.0
