"""The streams of the command that somebody typed, as a container gets them."""

import os
import resource
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

from paas.doors.control import Control
from paas.doors.request import Request
from paas.schedulers.base import Streams


@contextmanager
def handed_over(request: Request, control: Control, *, no_tty: bool = False) -> Iterator[Streams]:
    """Give our own descriptors; a terminal is raw meanwhile, so that each key passes unchanged.

    There is one if the client has one, and both ends are it: `run app cmd | gzip` has none.
    """
    # Passing on gigabytes takes processor time; how long it may take is the container's to say.
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (hard, hard))
    if no_tty or not (request.tty and os.isatty(0) and os.isatty(1)):
        yield Streams(0, 1, 2)
        return
    modes = termios.tcgetattr(0)
    tty.setraw(0, termios.TCSANOW)
    try:
        yield Streams(0, 1, 2, window=control)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, modes)
