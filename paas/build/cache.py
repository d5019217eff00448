"""BuildKit's cache, kept to a budget: only records that this instance's own builds made.

The engine does not say whose a record is, and instances share it. A record of ours was created
while a step of our own build ran, and names its command where it has one; two candidates for one
step mean that builds overlapped, and neither is touched. Ids are kept in a ledger, and pruned one
by one (trim.py).
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from docker import APIClient

from paas.build.leftovers import Span, nanoseconds

FLAGS = re.compile(r"^(?:--\S+\s+)+")
ENOUGH = 60  # characters of a command that tell it from others of the same moment
EXECS = ("mount / from exec ", "cached mount ")
FILES = "fileop target"  # on Engine 20.10; later ones name the step
CONTAINERD = "io.containerd.snapshotter.v1"
Record = Mapping[str, Any]


def own_records(spans: Collection[Span], records: Sequence[Record]) -> frozenset[str]:
    """Return the ids of the records that were made during these steps."""
    found = set()
    for name, start, end in spans:
        made = [r for r in records if start <= nanoseconds(r["CreatedAt"]) <= end]
        instruction, _, rest = name.rpartition("] ")[2].partition(" ")
        if instruction == "RUN":
            command = _plain(FLAGS.sub("", rest))[:ENOUGH]
            runs = [r for r in made if r["Description"].startswith(EXECS)]
            ours = [r for r in runs if command in _plain(r["Description"])]
            roots = [r for r in ours if r["Description"].startswith(EXECS[0])]
            found |= {r["ID"] for r in ours} if len(roots) == 1 else set()
        else:
            files = [r for r in made if r["Description"] in {FILES, name}]
            found |= {r["ID"] for r in files} if len(files) == 1 else set()
    return frozenset(found)


def read_ledger(file: Path) -> frozenset[str]:
    """Return the ids that were noted."""
    return frozenset(json.loads(file.read_text())) if file.exists() else frozenset()


def write_ledger(file: Path, ids: Collection[str]) -> None:
    """Note these ids, and no others; whole or not at all."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(sorted(ids)))
    new.replace(file)


def read_records(api: APIClient) -> Sequence[Record]:
    """Return the whole cache of the engine. Raises docker's and requests' errors.

    Without `type` (Engine API 1.42; older ones do not know it) all disk use is added up, and
    images that are just being made are an error with the containerd store.
    """
    url = f"{api.base_url}/v{api.api_version}/system/df"
    query = {"type": "build-cache", "verbose": "1"}
    answer = api.get(url, params=query, timeout=api.timeout)
    answer.raise_for_status()
    return records_in(answer.json())


def records_in(answer: Mapping[str, Any]) -> Sequence[Record]:
    """Return the records of the cache: as Engine API 1.52 tells them, or as earlier ones do."""
    usage = answer.get("BuildCacheUsage") or {}
    return tuple(usage.get("Items") or answer.get("BuildCache") or ())


def uses_containerd(api: APIClient) -> bool:
    """Whether the engine keeps images in containerd: Engine 29 does so unless told otherwise."""
    return ["driver-type", CONTAINERD] in (api.info().get("DriverStatus") or ())


def removable(
    records: Sequence[Record], ids: Collection[str], *, has_containerd: bool
) -> tuple[Record, ...]:
    """Return those of these ids that no build uses and that take room of their own.

    What an image has too costs nothing, and says `Shared`; with containerd others say so as well.
    """
    unused = (record for record in records if record["ID"] in ids and not record["InUse"])
    return tuple(record for record in unused if has_containerd or not record["Shared"])


def _plain(text: str) -> str:
    return " ".join(text.replace("\\\n", " ").split())
