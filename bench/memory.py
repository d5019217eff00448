"""What all processes of one idle installation occupy: PSS, so that what they share counts once."""

import time
from pathlib import Path

from bench.measure import Row, Sample
from bench.push_to_live import settings_of
from tests.journeys.instance import Instance

KILOBYTES_PER_MB = 1000
LOOKS = 5


def measure(instance: Instance, *, quick: bool) -> list[Row]:
    """Return a row for all, and one per process."""
    time.sleep(2 if quick else 10)  # nothing is asked of it meanwhile
    daemon = int(settings_of(instance).pid_file.read_text())
    looks = []
    for _ in range(LOOKS):
        looks.append({pid: pss(pid) for pid in family(daemon)})
        time.sleep(0.5)
    total = Sample(tuple(sum(look.values()) for look in looks))
    last = [f"{name_of(pid)} {size:.0f} MB" for pid, size in looks[-1].items()]
    return [Row("idle memory of all paas processes (PSS)", total, "MB", 90, note=", ".join(last))]


def family(pid: int) -> list[int]:
    """Return a process and all below it (proc(5))."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in family(int(child)))]


def pss(pid: int) -> float:
    """Return the proportional set size in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("Pss:"))
    return int(line.split()[1]) * 1.024 / KILOBYTES_PER_MB


def name_of(pid: int) -> str:
    """Return what `ps` calls it."""
    return Path(f"/proc/{pid}/comm").read_text().strip()
