"""Serves clones and fetches: dulwich's upload-pack, with hidden refs hidden and shallow edges told.

Protocol versions 0 and 1 (gitprotocol-pack(5)); a client that asks for 2 falls back by itself.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from dulwich.errors import GitProtocolError
from dulwich.object_store import GraphWalker, MissingObjectFinder
from dulwich.objects import ObjectID
from dulwich.protocol import Protocol, format_shallow_line
from dulwich.refs import Ref
from dulwich.server import Backend, BackendRepo, UploadPackHandler

from paas.git.store import Bare
from paas.git.wire import Line


class Served(Bare):
    """A repository that tells a client which of its commits have no parents here."""

    def find_missing_objects(
        self,
        determine_wants: Callable[[Mapping[Ref, ObjectID], int | None], list[ObjectID]],
        graph_walker: GraphWalker,
        progress: Callable[[bytes], None] | None,
        *,
        get_tagged: Callable[[], dict[ObjectID, ObjectID]] | None = None,
        depth: int | None = None,
    ) -> MissingObjectFinder | None:
        """As dulwich's; a client that asks for a depth is told of our edge too."""
        tell = getattr(graph_walker, "update_shallow", None)
        if tell and self.shallow:
            edge = {ObjectID(commit) for commit in self.shallow}
            graph_walker.update_shallow = lambda new, known: tell(new | edge, known - edge)  # type: ignore[attr-defined] # of dulwich's private walker
        return super().find_missing_objects(
            determine_wants, graph_walker, progress, get_tagged=get_tagged, depth=depth
        )


class One(Backend):
    """dulwich's handlers ask for a repository by its path; there is one."""

    def __init__(self, repository: Bare) -> None:
        self._repository = repository

    def open_repository(self, path: str) -> BackendRepo:  # noqa: ARG002 - dulwich's signature
        return self._repository


class ServedLine(Line):
    """Puts our shallow lines behind the advertised refs, before the first flush."""

    edge: frozenset[bytes] = frozenset()

    def write_pkt_line(self, line: bytes | None) -> None:
        if line is None:
            edge, self.edge = self.edge, frozenset()
            for commit in sorted(edge):
                super().write_pkt_line(format_shallow_line(commit))
        super().write_pkt_line(line)


def serve(path: Path, line: ServedLine) -> int:
    """Speak upload-pack to its end; return the exit status."""
    with closing(Served(path)) as repository:
        line.edge = repository.shallow
        try:
            UploadPackHandler(One(repository), ["/"], line).handle()
        except (GitProtocolError, AssertionError, KeyError, ValueError, OSError) as error:
            answer_error(line, str(error) or "the request was not understood")
            return 1
    return 0


def answer_error(line: Protocol, message: str) -> None:
    """Say in one line why the conversation ends (an ERR packet), if anybody still listens."""
    try:
        line.write_pkt_line(b"ERR " + " ".join(message.split()).encode()[:500] + b"\n")
    except GitProtocolError:
        return
