"""All that an installation holds: what deploys in a row must leave as it was."""

import contextlib
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker

from paas.firewall import table
from paas.settings import load
from tests.journeys.instance import Instance

# What the background process calls itself, and the door's, which is a program of its own.
NAMES = {"paas-background": "background", "python": "ssh door"}
OURS = {"users", "work"}  # folders of the tests
PACK = re.compile(r"\.git/objects/")
DEPLOY_LOG = re.compile(r"log/deploys/")


def count(instance: Instance) -> Counter[str]:
    """Return how many there are of each kind of thing: in the engine, on disk, in the kernel."""
    return Counter(_kinds(instance))


def processes(instance: Instance) -> Mapping[str, int]:
    """Return {name: pid} of the supervisor, and of its children that live as long as it does."""
    daemon = int(load(instance.environ).pid_file.read_text())
    found = {name_of(pid): pid for pid in children(daemon)}
    return {"supervisor": daemon} | {name: found[comm] for comm, name in NAMES.items()}


def descriptors(instance: Instance) -> dict[str, int]:
    """Return how many files each of these processes has open."""
    return {n: len(list(Path(f"/proc/{p}/fd").iterdir())) for n, p in processes(instance).items()}


def memory(instance: Instance) -> dict[str, float]:
    """Return the MB of each of these processes: PSS, so that what they share counts once."""
    return {name: pss(pid) for name, pid in processes(instance).items()}


def pss(pid: int) -> float:
    """Return the proportional set size of a process in MB (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024 / 1e6


def children(pid: int) -> list[int]:
    """Return the children of a process (proc(5))."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid: int) -> str:
    """Return what `ps` calls a process; "" for one that is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _kinds(instance: Instance) -> Iterator[str]:
    """Return the kind of each thing."""
    label = {"label": f"paas.instance={instance.id}"}
    with contextlib.closing(docker.APIClient()) as engine:
        yield from ("containers" for _ in engine.containers(all=True, filters=label))
        yield from ("networks" for _ in engine.networks(filters=label))
        yield from ("volumes" for _ in engine.volumes(filters=label)["Volumes"] or ())
        yield from ("images" for _ in engine.images(filters=label))
    rules = ["nft", "list", "table", "inet", table(load(instance.environ))]
    done = subprocess.run(rules, capture_output=True, text=True, check=True, timeout=20)
    yield from ("lines of firewall" for _ in done.stdout.splitlines())
    for path in instance.root.rglob("*"):
        name = str(path.relative_to(instance.root))
        if name.split("/", maxsplit=1)[0] in OURS or path.is_dir():
            continue
        if DEPLOY_LOG.match(name):
            yield "logs of deploys"
        else:
            yield "files of packs" if PACK.search(name) else "files"
