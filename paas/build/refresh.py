"""`python -m paas.build.refresh`: upkeep of what builds stand on, in a process of its own.

Debian's security updates reach new builds within a week, and old packages leave the apt cache.
"""

import fcntl
import os
import sys
import time

from paas.build.apt_cache import ensure_apt_cache, trim_apt_cache
from paas.build.stack import WEEK, refresh_stack
from paas.errors import PaasError
from paas.settings import Settings, load

NICE = 10  # apps and pushes come first


def refresh(settings: Settings) -> None:
    """Make again what is older than a week; what is younger costs a question to the engine.

    Raises Unavailable, EngineUnavailable; what could be made is kept.
    """
    if settings.apt_cache == "managed":
        ensure_apt_cache(settings, say, max_age=WEEK)
        trim_apt_cache(settings)
    refresh_stack(settings, say)


def say(text: str) -> None:
    """Write a line with the time: the output is a log."""
    sys.stdout.write(f"{time.strftime('%F %T')} {text}\n")


def main() -> int:
    """Refresh, unless another process does so now; return the exit status."""
    os.nice(NICE)
    settings = load()
    with (settings.locks / "refresh.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        return _refresh_and_tell(settings)


def _refresh_and_tell(settings: Settings) -> int:
    try:
        refresh(settings)
    except PaasError as error:
        for line in (error.message, *error.details, error.hint):
            say(line)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
