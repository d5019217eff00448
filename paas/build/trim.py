"""Removes what builds of this instance left in the engine's cache: contexts, and what is too much.

With the containerd store, whatever is pruned makes BuildKit forget which of all other records
belong to which step (seen on Engine 28.5): every step runs once more. There contexts wait for the
budget too, and then half of it is made free at once.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from docker import APIClient

from paas.build.cache import (
    Record,
    own_records,
    read_ledger,
    read_records,
    removable,
    uses_containerd,
    write_ledger,
)
from paas.build.leftovers import Span, contexts_of

ROUNDS = 5  # a record goes only after those that were made on top of it


def tidy(api: APIClient, spans: Collection[Span], ledger: Path, budget: int) -> None:
    """Note what these steps of builds left in the cache, and remove from it what is too much.

    `budget` is bytes. Raises docker's and requests' errors.
    """
    records, has_containerd = read_records(api), uses_containerd(api)
    contexts = contexts_of(spans, records)
    ours = read_ledger(ledger) | own_records(spans, records) | contexts
    ours &= {record["ID"] for record in records}
    if not has_containerd:
        ours -= remove(api, contexts)
    mine = removable(records, ours, has_containerd=has_containerd)
    gone = trim(api, mine, budget, budget // 2 if has_containerd else budget)
    write_ledger(ledger, ours - set(gone))


def remove(api: APIClient, ids: Collection[str]) -> frozenset[str]:
    """Remove these records, as far as nothing uses them; return what went."""
    return frozenset(each for each in ids if _is_removed(api, each))


def trim(api: APIClient, records: Sequence[Record], budget: int, target: int) -> list[str]:
    """If these exceed `budget`, remove what was not used for longest until `target` is met.

    Both are bytes. What others were made of stays. Return what went.
    """
    ours = sorted(records, key=lambda r: r.get("LastUsedAt") or r["CreatedAt"])
    size, gone = sum(record["Size"] for record in ours), list[str]()
    over = size - target if size > budget else 0
    for _ in range(ROUNDS):
        before = len(gone)
        for record in [r for r in ours if r["ID"] not in gone]:
            if over <= 0:
                return gone
            if _is_removed(api, record["ID"]):
                gone.append(record["ID"])
                over -= record["Size"]
        if len(gone) == before:
            break
    return gone


def _is_removed(api: APIClient, record: str) -> bool:
    deleted = api.prune_builds(filters={"id": [record]}, all=True)  # type: ignore[arg-type] # lacks id
    return record in (deleted.get("CachesDeleted") or ())
