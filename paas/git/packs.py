"""Takes a pack into a quarantine: a pushed one, a fetched one and one that paas made alike."""

from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass

from dulwich.objects import RawObjectID

from paas.git.index import Indexer, choose_indexer
from paas.git.limits import Limits
from paas.git.quarantine import Quarantine
from paas.git.scan import PackStream
from paas.git.tidy import require_place


@dataclass(frozen=True)
class PackTaker:
    """How packs are taken: within which limits, by which git, and while which disk has room.

    `require_room` raises DiskFull. It is asked all the time, for others write while a pack comes.
    """

    limits: Limits
    git: str | None
    require_room: Callable[[], None]

    def take(
        self,
        receive: Callable[[int], bytes],
        quarantine: Quarantine,
        checking: Callable[[PackStream], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Read, index and check a pack; `checking` surrounds what comes when all of it was read.

        Raises SourceRefused, DiskFull.
        """
        stream = PackStream(receive, self.limits, self.require_room)
        if not stream.objects:
            stream.copy(_discard)
            return
        require_place(quarantine.repository, self.limits)
        with closing(choose_indexer(self.git, quarantine, self.limits)) as indexer:
            indexer.feed(stream)
            with checking(stream):
                self._finish(indexer, stream, quarantine)

    def _finish(self, indexer: Indexer, stream: PackStream, quarantine: Quarantine) -> None:
        self.require_room()
        indexer.finish()
        self.require_room()
        for pack in quarantine.store.packs:
            find = pack.index.object_offset
            stream.check_referred(lambda identity: find(RawObjectID(identity)))  # noqa: B023 - called at once


def _discard(_: bytes) -> None:
    """Write nowhere."""
