"""BuildKit's cache, kept to a budget: only records that this instance's own builds made.

The engine does not say whose a record is, and instances share it. A record of ours was created
while a step of our own build ran, and names its command where it has one; two candidates for one
step mean that builds overlapped, and neither is touched. Ids are kept in a ledger, and pruned one
by one.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from docker import APIClient

from paas.build.leftovers import Span, nanoseconds

ROUNDS = 5  # a record goes only after those that were made on top of it
FLAGS = re.compile(r"^(?:--\S+\s+)+")
ENOUGH = 60  # characters of a command that tell it from others of the same moment
EXECS = ("mount / from exec ", "cached mount ")
FILES = "fileop target"
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
            files = [r for r in made if r["Description"].startswith(FILES)]
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


def trim(api: APIClient, ids: Collection[str], records: Sequence[Record], budget: int) -> list[str]:
    """Remove what was not used for longest until the rest fits; return what went.

    What an image or a build uses costs nothing, or stays. Raises docker's errors.
    """
    ours = [r for r in records if r["ID"] in ids and not r["InUse"] and not r["Shared"]]
    ours.sort(key=lambda record: record.get("LastUsedAt") or record["CreatedAt"])
    over, gone = sum(record["Size"] for record in ours) - budget, list[str]()
    for _ in range(ROUNDS):
        before = len(gone)
        for record in [r for r in ours if r["ID"] not in gone]:
            if over <= 0:
                return gone
            deleted = api.prune_builds(filters={"id": [record["ID"]]}, all=True)  # type: ignore[arg-type] # lacks id
            if record["ID"] in (deleted.get("CachesDeleted") or ()):
                gone.append(record["ID"])
                over -= record["Size"]
        if len(gone) == before:
            break
    return gone


def _plain(text: str) -> str:
    return " ".join(text.replace("\\\n", " ").split())
