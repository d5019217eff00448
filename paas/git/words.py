"""What the git room says: faults of the machine as refusals, and texts of a push as plain lines."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from paas.errors import DiskFull, SourceRefused
from paas.reporter import clean

SUBJECT, REASON = 60, 200  # characters


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what a hostile or unlucky push makes of the machine into words."""
    try:
        yield
    except MemoryError as error:
        raise SourceRefused("The push needs more memory than a push may have") from error
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise DiskFull("The disk is full", hint="Free some space, then push again.") from error


def one_line(text: str) -> str:
    """Return the text as one printable line of at most 200 characters."""
    return " ".join(clean(text).split())[:REASON]


def subject_line(text: str) -> str:
    """Return a commit's subject as it is shown: printable, at most 60 characters."""
    return one_line(text)[:SUBJECT]
