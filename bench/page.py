"""docs/performance.md: a section per bench, each with the day, the machine and its load then.

A bench that is run again replaces its section and leaves the others alone.
"""

import datetime as dt
import os
import platform
import re
from collections.abc import Mapping, Sequence

import docker

from bench.measure import Row, table

HEAD = """\
# Performance

Written by `python -m bench`. Each bench measures its floor in turns with paas, in the same run on
the same machine, so that the ratios hold where the seconds do not. "Met" compares the median;
quartiles tell how steady the machine was.
"""
SECTION = re.compile(r"^## `(\w+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def merge(page: str, sections: Mapping[str, str], order: Sequence[str]) -> str:
    """Return the page with these sections in place of the old ones; unknown ones are dropped."""
    known = dict(SECTION.findall(page)) | dict(sections)
    bodies = (f"\n## `{name}`\n{known[name].rstrip()}\n" for name in order if name in known)
    return HEAD + "".join(bodies)


def section(about: str, rows: Sequence[Row], took: float) -> str:
    """Return what stands below a bench's heading."""
    return f"\n{about}\n\n{table(rows)}\n{_when()}, in {took:.0f} s. {_machine()}.\n"


def _when() -> str:
    one, five, _ = os.getloadavg()
    day = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{day}, load average {one:.1f} at the end ({five:.1f} over five minutes)"


def _machine() -> str:
    """Return cores, memory, kernel, engine and Python; no name and no path."""
    engine = docker.APIClient()
    version = engine.version()["Version"]
    engine.close()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, Linux {platform.release()}, "
        f"Docker Engine {version}, Python {platform.python_version()}"
    )
