"""Checks that what the objects of a pack name is there, and of the type that it should be."""

from collections.abc import Iterable
from contextlib import closing

from paas.errors import SourceRefused
from paas.git.names import DIRECTORY, SUBMODULE
from paas.git.objects import Headers, Missing, parse_commit, parse_tag, parse_tree
from paas.git.scan import BLOB, COMMIT, TAG, TREE
from paas.git.store import Store


class Incomplete(Missing):
    """An object is named that is neither in the pack nor in the repository."""

    def __init__(self, identity: str) -> None:
        super().__init__(f"The push lacks an object: {identity} is missing")


class Named:
    """What the objects of a pack name, taken down as they go by; `store` has the others."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._edge = {bytes.fromhex(commit.decode()) for commit in store.shallow}
        self.kinds: dict[bytes, int] = {}  # of the pack's objects
        self._wanted: dict[bytes, int] = {}  # id -> type, of what did not come before its name

    def add(self, identity: bytes, kind: int, content: bytes) -> None:
        """Take down an object of the pack. Raises SourceRefused if it is malformed, or a second."""
        if identity in self.kinds:
            raise SourceRefused(f"The pack is broken: it has the object {identity.hex()} twice")
        self.kinds[identity] = kind
        if kind != BLOB:
            for link, wanted in self._links(identity, kind, content):
                _require(
                    link, self.kinds.get(link) or self._wanted.setdefault(link, wanted), wanted
                )

    def check(self) -> None:
        """Raise SourceRefused unless all that was named is there, or a parent beyond the edge."""
        with closing(Headers(self._store)) as headers:
            for identity, wanted in self._wanted.items():
                _require(identity, self.kinds.get(identity) or _stored(headers, identity), wanted)

    def _links(self, identity: bytes, kind: int, content: bytes) -> Iterable[tuple[bytes, int]]:
        """Return (id, type) of what an object names."""
        if kind == COMMIT:
            commit = parse_commit(identity, kind, content)
            parents = () if identity in self._edge else commit.parents
            return [(commit.tree, TREE), *((parent, COMMIT) for parent in parents)]
        if kind == TAG:
            return [parse_tag(identity, content)]
        return [
            (entry.id, TREE if entry.mode == DIRECTORY else BLOB)
            for entry in parse_tree(identity, kind, content)
            if entry.mode != SUBMODULE
        ]


def _stored(headers: Headers, identity: bytes) -> int:
    try:
        return headers.type_and_size(identity)[0]
    except SourceRefused as error:
        raise Incomplete(identity.hex()) from error


def _require(identity: bytes, kind: int, wanted: int) -> None:
    if kind != wanted:
        raise SourceRefused(f"The object {identity.hex()} is of another type than it should be")
