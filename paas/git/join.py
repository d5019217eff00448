"""Joins small packs without git: as many as a push may wait for."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from dulwich.objects import RawObjectID
from dulwich.pack import Pack, UnpackedObject, write_pack_data, write_pack_index

from paas.git.limits import MB
from paas.git.objects import Headers
from paas.git.store import Store, sync_directory

OBJECTS = 5_000
UNPACKED = 32 * MB  # written anew in about a second


def join(repository: Path) -> None:
    """Make one pack of the smallest ones, within these bounds. Hold the lock; no push at work."""
    folder = repository / "objects" / "pack"
    with closing(Store(repository / "objects")) as store:
        chosen, objects = _choose(store)
        if len(chosen) > 1:
            old = {Path(pack._basename) for pack in chosen}  # noqa: SLF001 - dulwich tells nobody
            new = _write(store, objects, folder)
            for pack in old - {new}:
                _remove(pack)
            sync_directory(folder)


def _choose(store: Store) -> tuple[list[Pack], list[bytes]]:
    """Return the packs that are joined, and the ids of all their objects."""
    chosen, objects, unpacked = list[Pack](), dict[bytes, None](), 0
    with closing(Headers(store)) as headers:
        for pack in sorted(store.packs, key=len):
            fresh = [entry[0] for entry in pack.index.iterentries() if entry[0] not in objects]
            if len(objects) + len(fresh) > OBJECTS:
                break
            size = sum(headers.type_and_size(identity)[1] for identity in fresh)
            if unpacked + size <= UNPACKED:
                chosen.append(pack)
                objects |= dict.fromkeys(fresh)
                unpacked += size
    return chosen, list(objects)


def _write(store: Store, objects: list[bytes], folder: Path) -> Path:
    """Write a pack; return its path without an ending. Its index comes last: then it is seen."""

    def unpacked() -> Iterator[UnpackedObject]:
        for identity in objects:
            kind, content = store.get_raw(RawObjectID(identity))
            yield UnpackedObject(kind, decomp_chunks=[content], sha=identity)

    fresh = folder / "tmp_join"
    with fresh.open("wb") as file:
        entries, checksum = write_pack_data(
            file.write, unpacked(), num_records=len(objects), object_format=store.object_format
        )
        file.flush()
        os.fsync(file.fileno())
    target = folder / f"pack-{checksum.hex()}"
    fresh.rename(target.with_suffix(".pack"))
    with fresh.open("wb") as file:
        write_pack_index(file, sorted((i, at, crc) for i, (at, crc) in entries.items()), checksum)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(target.with_suffix(".idx"))
    sync_directory(folder)
    return target


def _remove(pack: Path) -> None:
    """Remove a pack; its index first, so that no reader looks into what is half gone."""
    pack.with_suffix(".idx").unlink(missing_ok=True)
    for file in pack.parent.glob(f"{pack.name}.*"):
        file.unlink(missing_ok=True)
