"""How long looking at a source may take: its patterns and manifests are the pusher's.

Glob patterns become regular expressions, and a dozen stars in one can take longer than the universe
is old. Python's matcher looks for signals while it works.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from paas.errors import BuildFailed

SECONDS = 20.0  # of processor time; 50,000 files and 100 plain patterns take two


@contextmanager
def bounded() -> Iterator[None]:
    """Let the block take SECONDS of processor time. Raises BuildFailed.

    Only the main thread gets signals (signal(7) of Python); in another one nothing is bounded.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _stop(*_: object) -> NoReturn:
    raise BuildFailed(
        "Reading the source takes too long",
        hint="Use fewer * in each pattern of .dockerignore, and in the workspaces of manifests.",
    )
