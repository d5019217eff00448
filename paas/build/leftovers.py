"""What a build leaves in BuildKit's cache and no later one can use: its own uploaded context.

The engine keeps two records per context, the tar and its unpacked files, under names that do not
say whose they are. What does is the time: a record of ours was created while our own build's step
for it ran, which BuildKit tells to the nanosecond. Two candidates for one step mean that two builds
overlapped: both records stay, for a lost cache is nothing, but another's record is not ours.

Looking them up makes old engines add up all their disk use, so it is done in the background, from
notes that each build leaves in a file.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from paas.build.progress import CONTEXT_VERTICES

# What begins the records' descriptions, on Engine 20.10 and on later ones.
DESCRIPTIONS = dict(
    zip(CONTEXT_VERTICES, (("http url ",), ("fileop target", CONTEXT_VERTICES[1])), strict=True)
)
WRITES = 60 * 1_000_000_000  # nanoseconds within which a note is written
Span = tuple[str, int, int]  # vertex name, start, end in nanoseconds since the epoch


def note_steps(directory: Path, spans: Iterable[Span]) -> None:
    """Remember when a build's context was received and unpacked, and when its steps ran."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / f"{time.time_ns()}.json").write_text(json.dumps(list(spans)))


def take_notes(directory: Path) -> tuple[tuple[Path, ...], tuple[Span, ...]]:
    """Return the notes that builds left since the last look, and what stands in them."""
    read = {note: _read(note) for note in sorted(directory.glob("*.json"))}
    whole = {note: spans for note, spans in read.items() if spans is not None}
    spans = (span for each in whole.values() for span in each)
    return tuple(whole), tuple((name, start, end) for name, start, end in spans)


def _read(note: Path) -> Sequence[Span] | None:
    """Return what stands in a note, nothing if its writer died over it; None: it writes yet."""
    try:
        return list(json.loads(note.read_text()))
    except ValueError:
        return None if time.time_ns() - int(note.stem) < WRITES else ()


def contexts_of(spans: Iterable[Span], records: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the ids of the records of the contexts that these steps received and unpacked."""
    return frozenset(found for span in spans if (found := record_of(span, records)))


def record_of(span: Sequence[Any], records: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the id of the record that was made during the span, if only one can be it."""
    name, start, end = span
    if name not in DESCRIPTIONS:
        return None
    found = [
        record["ID"]
        for record in records
        if record["Description"].startswith(DESCRIPTIONS[name])
        and not record["Shared"]
        and not record.get("Parent")
        and not record.get("Parents")
        and start <= nanoseconds(record["CreatedAt"]) <= end
    ]
    return str(found[0]) if len(found) == 1 else None


def nanoseconds(stamp: str) -> int:
    """Return nanoseconds of an RFC 3339 time with up to nine digits after the point."""
    seconds, _, fraction = stamp.rstrip("Z").partition(".")
    whole = int(datetime.fromisoformat(f"{seconds}+00:00").timestamp())
    return whole * 1_000_000_000 + int(fraction.ljust(9, "0"))
