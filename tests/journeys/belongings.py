"""All that an installation holds: what deploys in a row must leave as it was."""

import contextlib
import re
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import docker

from paas.firewall import table
from paas.settings import load
from tests.journeys.instance import Instance

# What the background process calls itself, and the door's, which is a program of its own.
NAMES = {"paas-background": "background", "python": "ssh door"}
OURS = {"users", "work"}  # folders of the tests
ONCE = {"looked-for-waste"}  # files of a repository that appear once, within its first hour
# Files whose number goes up and down by a rule of its own; all others are told by their folder.
NUMBER = re.compile(r"[0-9]+")
RULED = {
    "files of packs": re.compile(r"repos/N\.git/objects/"),
    "logs of deploys": re.compile(r"log/deploys/"),
    "logs of replaced processes": re.compile(r"log/apps/"),
    "notes on build caches": re.compile(r"run/contexts/|build-cache\.json"),
}


def count(instance: Instance) -> Counter[str]:
    """Return how many there are of each kind of thing: in the engine, in the kernel, on disk."""
    folders = Counter[str]()
    for name, number in files(instance).items():
        ruled = (kind for kind, form in RULED.items() if form.match(name))
        folder, slash, _ = name.partition("/")
        folders[next(ruled, f"files in {folder}" if slash else "files")] += number
    return objects(instance) + folders


def objects(instance: Instance) -> Counter[str]:
    """Return how many there are of each kind of thing that is no file."""
    label = {"label": f"paas.instance={instance.id}"}
    rules = ["nft", "list", "table", "inet", table(load(instance.environ))]
    listed = subprocess.run(rules, capture_output=True, text=True, check=True, timeout=20).stdout
    with contextlib.closing(docker.APIClient()) as engine:
        found = {
            "containers": engine.containers(all=True, filters=label),
            "networks": engine.networks(filters=label),
            "volumes": engine.volumes(filters=label)["Volumes"] or (),
            "images": engine.images(filters=label),
            "lines of firewall": listed.splitlines(),
        }
    return Counter({kind: len(each) for kind, each in found.items()})


def files(instance: Instance) -> Counter[str]:
    """Return how many files there are of each name; all numbers in names are N."""
    paths = (path.relative_to(instance.root) for path in instance.root.rglob("*"))
    ours = (str(p) for p in paths if p.parts[0] not in OURS and p.name not in ONCE)
    return Counter(NUMBER.sub("N", name) for name in ours if not (instance.root / name).is_dir())


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


def private_memory(instance: Instance) -> dict[str, float]:
    """Return the MB that each of these has for itself (USS): what grows when one leaks.

    PSS would also rise when another process that shares its pages ends.
    """
    kinds = ("Private_Clean:", "Private_Dirty:")
    return {name: _sum(pid, kinds) for name, pid in processes(instance).items()}


def pss(pid: int) -> float:
    """Return the proportional set size of a process in MB."""
    return _sum(pid, ("Pss:",))


def _sum(pid: int, kinds: tuple[str, ...]) -> float:
    """Return the MB of these lines of smaps_rollup (proc(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(kinds)) * 1024 / 1e6


def children(pid: int) -> list[int]:
    """Return the children of a process (proc(5))."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid: int) -> str:
    """Return what `ps` calls a process; "" for one that is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""
