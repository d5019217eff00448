"""Makes a stored pack of a streamed one: by git where it is installed, else by dulwich.

Both leave in the quarantine a complete pack (bases of a thin one added) of well-formed objects, in
which every link leads to an object that is there, or to a parent beyond the edge of a shallow
history.
"""

import errno
import os
import resource
import select
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from dulwich.pack import Pack, UnpackedObjectIterator

from paas.errors import DiskFull, PaasError, SourceRefused
from paas.git.limits import Limits
from paas.git.names import DIRECTORY, SUBMODULE
from paas.git.objects import parse_commit, parse_tag, parse_tree
from paas.git.quarantine import Quarantine
from paas.git.scan import BLOB, COMMIT, PIECE, TAG, TREE, PackStream
from paas.git.wire import ROOM

FULL = (errno.ENOSPC, errno.EDQUOT)
TOO_LONG = "The pack took too long to unpack"
PATH = "/usr/local/bin:/usr/bin:/bin"
# Faults of old tools that do no harm and stand in many real histories (git-fsck(1)).
FORGIVEN = [
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "badTagName",
    "badTimezone",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "missingTaggerEntry",
    "multipleAuthors",
    "zeroPaddedDate",
    "zeroPaddedFilemode",
]


class Incomplete(SourceRefused):
    """An object is named that is neither in the pack nor in the repository."""

    def __init__(self, identity: str) -> None:
        super().__init__(f"The push lacks an object: {identity} is missing")


class Indexer(Protocol):
    """Takes a pack into a quarantine, in two steps, so that progress can be told in between."""

    def feed(self, stream: PackStream) -> None:
        """Read the pack to its end. Raises SourceRefused, OSError."""

    def finish(self) -> None:
        """Index what was read and check it. Raises SourceRefused, DiskFull."""

    def close(self) -> None:
        """Stop whatever still works."""


class GitIndexer:
    """`git index-pack --strict`, without the user's configuration, within memory and time."""

    def __init__(self, git: str, quarantine: Quarantine, limits: Limits) -> None:
        self._limits = limits
        self._errors = quarantine.path / "errors"
        shallow = quarantine.path / "shallow"
        if quarantine.declared:
            shallow.write_bytes(b"".join(c + b"\n" for c in quarantine.store.shallow))
        forgiven = ",".join(f"{fault}=ignore" for fault in FORGIVEN)
        command = [
            git,
            *(["--shallow-file", str(shallow)] if quarantine.declared else []),
            *("-c", "core.packedGitWindowSize=32m", "-c", "core.packedGitLimit=256m"),
            *("-c", "core.deltaBaseCacheLimit=64m"),
            *("index-pack", "--stdin", "--fix-thin", f"--strict={forgiven}", "--threads=2"),
            f"--max-input-size={limits.pack + PIECE}",
        ]
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pipesize=ROOM,
                env=clean_environment(quarantine.repository)
                | {
                    "GIT_OBJECT_DIRECTORY": str(quarantine.objects),
                    "GIT_QUARANTINE_PATH": str(quarantine.objects),
                },
                cwd=quarantine.path,
            )
        _confine(self._process.pid, limits)

    def feed(self, stream: PackStream) -> None:
        try:
            stream.copy(self._input.write)
            self._input.flush()
        except BrokenPipeError:  # it has seen enough
            self.finish()

    def finish(self) -> None:
        self._close_input()
        if not _has_ended(self._process.pid, self._limits.index_seconds):
            raise SourceRefused(TOO_LONG)
        if status := self._process.wait():
            raise self._explain(status)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._close_input()

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin  # noqa: S101 - it was opened as a pipe
        return self._process.stdin

    def _close_input(self) -> None:
        with suppress(BrokenPipeError):  # its exit status tells why it read no more
            self._input.close()

    def _explain(self, status: int) -> PaasError:
        """Say why index-pack stopped: its first error, or else how it died."""
        lines = self._errors.read_text(errors="replace").splitlines()
        told = [line.partition(": ")[2] for line in lines if line.startswith(("error:", "fatal:"))]
        if status == -signal.SIGXCPU:
            return SourceRefused(TOO_LONG)
        if any("did not receive expected object" in line for line in told):
            return Incomplete(told[-1].rpartition(" ")[2])
        if any(os.strerror(full) in line for line in told for full in FULL):
            return DiskFull("The disk is full", hint="Free some space, then push again.")
        why = told[0] if told else f"git index-pack ended with {status}"
        return SourceRefused(f"The pack was refused: {why}")


def _has_ended(process: int, seconds: int) -> bool:
    """Wait for a child; Popen.wait() with a timeout would sleep in steps of up to 50 ms."""
    descriptor = os.pidfd_open(process)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def clean_environment(repository: Path) -> dict[str, str]:
    """Return the environment of a git that sees nobody's configuration."""
    return {
        "PATH": PATH,
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_DIR": str(repository),
        "GIT_NO_REPLACE_OBJECTS": "1",
    }


def _confine(process: int, limits: Limits) -> None:
    """Bound memory, time and file size of a child; it waits for its input until we feed it."""
    for kind, value in (
        (resource.RLIMIT_AS, limits.index_memory),
        (resource.RLIMIT_CPU, limits.index_seconds),
        (resource.RLIMIT_FSIZE, 2 * limits.pack + limits.inflated),
        (resource.RLIMIT_CORE, 0),
    ):
        # The request's own limits stand above: only root with CAP_SYS_RESOURCE may raise those.
        most = resource.prlimit(process, kind)[1]
        bound = value if most == resource.RLIM_INFINITY else min(value, most)
        resource.prlimit(process, kind, (bound, bound))


class DulwichIndexer:
    """The same without git: spool, index, check the links."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._spool = quarantine.path / "spool.pack"

    def feed(self, stream: PackStream) -> None:
        with self._spool.open("wb") as file:
            stream.copy(file.write)

    def finish(self) -> None:
        store = self._quarantine.store
        try:
            with self._spool.open("rb") as file:
                pack = store.add_thin_pack(file.read, None)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # dulwich has a dozen for a broken pack, and asserts
            raise SourceRefused(f"The pack was refused: {error}") from error
        self._spool.unlink()
        _check_links(self._quarantine, pack)

    def close(self) -> None:
        self._spool.unlink(missing_ok=True)


def _check_links(quarantine: Quarantine, pack: Pack) -> None:
    """Raise SourceRefused unless every object is well-formed and all it names is there."""
    store = quarantine.store
    edge = {bytes.fromhex(commit.decode()) for commit in store.shallow}
    kinds: dict[bytes, int] = {}  # of the pack's objects
    wanted: dict[bytes, int] = {}
    for found in UnpackedObjectIterator.for_pack_data(pack.data, resolve_ext_ref=store.get_raw):
        kind = found.obj_type_num or 0
        identity: bytes = found.sha()
        kinds[identity] = kind
        if kind != BLOB:
            links = _links(identity, kind, b"".join(found.obj_chunks or ()), edge)
            wanted.update(link for link in links if link[0] not in kinds)
    for identity, kind in wanted.items():
        here = kinds.get(identity)
        if here is None and not store.has(identity.hex()):
            raise Incomplete(identity.hex())
        if here not in {None, kind}:
            raise SourceRefused(f"The object {identity.hex()} is of another type than it should be")


def _links(identity: bytes, kind: int, content: bytes, edge: set[bytes]) -> list[tuple[bytes, int]]:
    """Return (id, type) of what an object names."""
    if kind == COMMIT:
        commit = parse_commit(identity, kind, content)
        parents = () if identity in edge else commit.parents
        return [(commit.tree, TREE), *((parent, COMMIT) for parent in parents)]
    if kind == TAG:
        return [parse_tag(identity, content)]
    return [
        (entry.id, TREE if entry.mode == DIRECTORY else BLOB)
        for entry in parse_tree(identity, kind, content)
        if entry.mode != SUBMODULE
    ]


def choose_indexer(git: str | None, quarantine: Quarantine, limits: Limits) -> Indexer:
    """Return git's indexer where git is installed, else dulwich's."""
    return GitIndexer(git, quarantine, limits) if git else DulwichIndexer(quarantine)
