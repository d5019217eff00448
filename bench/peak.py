"""The most memory that some processes occupied together while something else went on."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tests.journeys.belongings import children, name_of, pss

LOOK = 0.05


@dataclass
class Peak:
    """MB: PSS, so that what they share with others counts by its share only."""

    size: float = 0.0


@contextlib.contextmanager
def watched(find: Callable[[], Iterable[int]]) -> Iterator[Peak]:
    """Watch the processes that `find` returns, which is asked again at each look."""
    peak, stop = Peak(), threading.Event()

    def watch() -> None:
        while not stop.wait(LOOK):
            peak.size = max(peak.size, sum(_pss(pid) for pid in set(find())))

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


def named(root: int, name: str) -> Iterator[int]:
    """Yield the processes below `root` that are called `name`, and all that they started."""
    for pid in below(root):
        if name_of(pid) == name:
            yield from (pid, *below(pid))


def _pss(pid: int) -> float:
    with contextlib.suppress(OSError, ValueError):  # it has just ended
        return pss(pid)
    return 0.0
