"""Commits that come otherwise than by a push: made of files, or fetched from another host.

Both arrive in a quarantine and are judged there as a push is.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import urllib3
from dulwich.client import HTTPUnauthorized
from dulwich.errors import GitProtocolError, NotGitRepository
from dulwich.object_store import ObjectStoreGraphWalker
from dulwich.objects import ObjectID
from dulwich.refs import Ref

from paas.errors import InvalidName, NotFound, SourceRefused, Unavailable
from paas.git.base import Note, Push, Remote
from paas.git.compose import write_pack
from paas.git.inspect import inspect_commit
from paas.git.limits import MB
from paas.git.names import BRANCHES, TAGS, ref_fault
from paas.git.objects import parse_commit, parse_tag, read_object
from paas.git.packs import PackTaker
from paas.git.quarantine import Quarantine
from paas.git.remote import open_remote
from paas.git.scan import LOOK, TAG
from paas.git.snapshot import GitSource
from paas.git.store import read_ref
from paas.git.words import one_line, subject_line
from paas.model import OBJECT_ID
from paas.outside import within
from paas.settings import Settings
from paas.source import NewFile

TAG_CHAIN = 10
HEAD = Ref(b"HEAD")
FIRST_BRANCH = "main"
Refs = Mapping[Ref, ObjectID | None]


@dataclass(frozen=True)
class Desk:
    """Where an offered commit is looked at: one quarantine, and what takes packs into it."""

    quarantine: Quarantine
    taker: PackTaker

    @property
    def spool(self) -> Path:
        """The file in which a pack is collected; it goes with the quarantine."""
        return self.quarantine.path / "incoming"

    def tip(self, branch: str) -> str | None:
        """Return the commit that a branch points to."""
        return read_ref(self.quarantine.repository, BRANCHES + branch.encode())

    def admit(self, file: BinaryIO) -> None:
        """Check and index a pack, as a pushed one. Raises SourceRefused, DiskFull."""
        self.taker.take(file.read, self.quarantine)

    def push(self, branch: str, commit: str) -> Push:
        """Return the commit, inspected, as a push of `branch`. Raises SourceRefused."""
        limits = self.taker.limits
        inspected = inspect_commit(self.quarantine.store, bytes.fromhex(commit), limits)
        return Push(
            branch=branch,
            old=self.tip(branch),
            new=commit,
            subject=subject_line(inspected.commit.subject),
            files=len(inspected.files),
            source=GitSource(self.quarantine.open_store(), commit, inspected),
        )


def make_commit(desk: Desk, branch: str, files: Iterable[NewFile], note: Note) -> Push | None:
    """Commit the files on top of `branch`; None if it holds just these already."""
    old = desk.tip(branch)
    who = f"{_plain(note.author)} <{_plain(note.mail)}> {int(time.time())} +0000".encode()
    with desk.spool.open("w+b") as file:
        made = write_pack(file, files, old, who, one_line(note.message))
        if old and _tree_of(desk, old) == made.tree:
            return None
        file.seek(0)
        desk.admit(file)
    desk.spool.unlink()
    return desk.push(branch, made.commit)


def fetch_commit(
    desk: Desk, remote: Remote, ref: str | None, branch: str | None, settings: Settings
) -> Push:
    """Fetch `ref` (a branch, a tag, a commit; None: what the remote's HEAD says) with its history.

    It becomes a push of `branch`, None: of the branch that was fetched. Raises InvalidName,
    NotFound for a ref that is not there, SourceRefused, Unavailable.
    """
    heads = [tip] if (tip := desk.tip(branch or ref or FIRST_BRANCH)) else []
    walker = ObjectStoreGraphWalker(
        [ObjectID(head.encode()) for head in heads],
        lambda commit: list(desk.quarantine.store[commit].parents),  # type: ignore[attr-defined] # heads are commits
    )
    wanted: list[ObjectID] = []

    def choose(refs: Refs, depth: int | None = None) -> list[ObjectID]:  # noqa: ARG001 - dulwich's
        wanted.append(_choose(refs, ref))
        return [] if wanted[0] in desk.quarantine.store else wanted[:1]

    with (
        desk.spool.open("w+b") as file,
        within(settings.fetch_timeout, remote.host),
        _speaking(remote),
        open_remote(remote, settings) as opened,
    ):
        client, path = opened
        result = client.fetch_pack(path.encode(), choose, walker, _bounded(file, desk.taker))
        if file.tell():
            file.seek(0)
            desk.admit(file)
    desk.spool.unlink()
    name = branch or _branch_of(result.refs, result.symrefs, ref) or FIRST_BRANCH
    if fault := ref_fault(BRANCHES + name.encode()):
        raise SourceRefused(f"The branch cannot be called {one_line(name)!r}: {fault}")
    return desk.push(name, _peel(desk, wanted[0].decode()))


def _choose(refs: Refs, ref: str | None) -> ObjectID:
    """Return what `ref` names on the other side. Raises NotFound, InvalidName."""
    if ref and OBJECT_ID.fullmatch(ref):
        return ObjectID(ref.encode())
    if ref and ref_fault(BRANCHES + ref.encode()):
        raise InvalidName(f"{ref!r} is not a branch, tag or commit")
    names = [BRANCHES + ref.encode(), TAGS + ref.encode()] if ref else [HEAD]
    found = next((at for name in names if (at := refs.get(Ref(name)))), None)
    if found is None:
        known = [n.removeprefix(BRANCHES).decode() for n in refs if n.startswith(BRANCHES)][:5]
        raise NotFound(
            f"The repository has no branch or tag {ref}" if ref else "The repository is empty",
            hint=f"There are: {one_line(', '.join(known))}" if known else "Push to it first.",
        )
    return found


def _branch_of(refs: Refs, symrefs: Mapping[Ref, Ref], ref: str | None) -> str | None:
    """Return the branch that was fetched; None for a tag or a commit."""
    name = BRANCHES + ref.encode() if ref else symrefs.get(HEAD)
    if name is None or not name.startswith(BRANCHES) or Ref(name) not in refs:
        return None
    return name.removeprefix(BRANCHES).decode()


def _peel(desk: Desk, fetched: str) -> str:
    """Return the commit behind a tag. Raises SourceRefused, also for what is no commit."""
    identity = bytes.fromhex(fetched)
    kind, content = read_object(desk.quarantine.store, identity)
    for _ in range(TAG_CHAIN):
        if kind != TAG:
            break
        identity, _ = parse_tag(identity, content)
        kind, content = read_object(desk.quarantine.store, identity)
    parse_commit(identity, kind, content)
    return identity.hex()


def _bounded(file: BinaryIO, taker: PackTaker) -> Callable[[bytes], int]:
    """Return a writer into the file, which holds no more than a push and the disk may take."""
    most = taker.limits.pack

    def write(data: bytes) -> int:
        before, after = file.tell(), file.tell() + len(data)
        if after > most:
            raise SourceRefused(f"The repository has more than {most // MB:,} MB")
        if before // LOOK < after // LOOK:
            taker.require_room()
        return file.write(data)

    return write


@contextmanager
def _speaking(remote: Remote) -> Iterator[None]:
    """Turn what goes wrong on the way to another host into words."""
    host = one_line(remote.host)
    try:
        yield
    except HTTPUnauthorized as error:
        raise Unavailable(
            f"{host} wants a login", hint=f"Store one: git:auth {host} USER < token.txt"
        ) from error
    except NotGitRepository as error:
        raise NotFound(f"There is no repository at {one_line(remote.url)}") from error
    except (GitProtocolError, urllib3.exceptions.HTTPError, OSError, AssertionError) as error:
        said = one_line(str(error)) or type(error).__name__
        raise Unavailable(f"{host}: {said}", hint=_hint(said, host)) from error


def _hint(said: str, host: str) -> str:
    if "Host key" in said:
        return f"The host's key is not known here: git:allow-host {host}"
    if "Permission denied" in said:
        return "Give the app's key the right to read there: git:public-key APP"
    return "Is the URL right, and does this host reach it?"


def _tree_of(desk: Desk, commit: str) -> str:
    identity = bytes.fromhex(commit)
    return parse_commit(identity, *read_object(desk.quarantine.store, identity)).tree.hex()


def _plain(text: str) -> str:
    """Return the text as it may stand in a commit's author line."""
    return one_line(text).translate({ord(sign): None for sign in "<>"}) or "paas"
