"""dulwich's store with few files open, however many packs a repository has.

dulwich holds four descriptors per pack, two of them for the index; a process may have 1,024.
"""

import io
import os
from collections.abc import Iterator
from functools import partial

from dulwich.object_format import ObjectFormat
from dulwich.object_store import DiskObjectStore, ObjectReachabilityProvider
from dulwich.pack import Pack, PackIndex, load_pack_index, load_pack_index_file

SMALL_INDEX = 64 * 1024  # bytes: 2,000 objects; a larger one is mapped, and there are few
MOST_OPEN = 32  # packs whose content is open


class FewFiles(DiskObjectStore):
    """Reads small indexes into memory, and closes the packs that were not used for longest."""

    @property
    def alternates(self) -> list[DiskObjectStore]:  # type: ignore[override] # a list of a subclass
        if self._alternates is None:
            self._alternates = [FewFiles(path) for path in self._read_alternate_paths()]
            self._alternates += [FewFiles(path) for path in self._extra_alternate_paths]
        return self._alternates  # type: ignore[return-value] # as above

    def get_reachability_provider(
        self,
        prefer_bitmaps: bool = True,  # noqa: ARG002 - dulwich's signature
    ) -> ObjectReachabilityProvider:
        """Walk the history: to look for bitmaps, which we never write, would open all packs."""
        return super().get_reachability_provider(prefer_bitmaps=False)

    def _update_pack_cache(self) -> list[Pack]:
        fresh = super()._update_pack_cache()
        for pack in fresh:
            pack._idx_load = partial(_read_index, pack._idx_path, self.object_format)  # noqa: SLF001 - dulwich asks nobody
        return fresh

    def _iter_cached_packs(self) -> Iterator[Pack]:
        for pack in super()._iter_cached_packs():
            yield pack
            self._close_some()

    def _enforce_packed_git_limit(self) -> None:
        """Be called by dulwich after each look into a pack."""
        super()._enforce_packed_git_limit()
        self._close_some()

    def _close_some(self) -> None:
        cached = [self._pack_cache.get(name) for name in self._pack_access_order]
        opened = [(p, p._data) for p in cached if p is not None and p._data is not None]  # noqa: SLF001 - close() would drop the index too
        for pack, data in opened[:-MOST_OPEN]:
            data.close()
            pack._data = None  # noqa: SLF001 - as above


def _read_index(path: str, form: ObjectFormat) -> PackIndex:
    if os.path.getsize(path) > SMALL_INDEX:  # noqa: PTH202 - dulwich has strings
        return load_pack_index(path, form)
    with open(path, "rb") as file:  # noqa: PTH123 - as above
        return load_pack_index_file(path, io.BytesIO(file.read()), form)
