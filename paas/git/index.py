"""Makes a stored pack of a streamed one: by git where it is installed, else by dulwich.

Both leave in the quarantine a complete pack (bases of a thin one added) of well-formed objects, in
which every link leads to an object that is there, or to a parent beyond the edge of a shallow
history.
"""

import errno
import hashlib
import os
import resource
import select
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from dulwich.objects import RawObjectID
from dulwich.pack import compute_file_sha, extend_pack, write_pack_index

from paas.errors import DiskFull, PaasError, SourceRefused
from paas.git.complete import Incomplete, Named
from paas.git.limits import Limits
from paas.git.quarantine import Quarantine
from paas.git.scan import PIECE, TRAILER, PackStream
from paas.git.unpack import Unpacker
from paas.git.wire import ROOM

FULL = (errno.ENOSPC, errno.EDQUOT)
TOO_LONG = "The pack took too long to unpack"
ERRORS = 1024 * 1024  # bytes that are read of what git says
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
        # In memory: on a full disk its reason would be lost.
        self._errors = os.fdopen(os.memfd_create("errors"), "w+b")
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
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            pipesize=ROOM,
            env=clean_environment(quarantine.repository)
            | {
                "GIT_OBJECT_DIRECTORY": str(quarantine.objects),
                "GIT_QUARANTINE_PATH": str(quarantine.objects),
            },
            cwd=quarantine.path,
            pass_fds=(quarantine.lock,),  # nobody sweeps up while it writes, should we be killed
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
        self._errors.close()

    @property
    def _input(self) -> IO[bytes]:
        assert self._process.stdin  # noqa: S101 - it was opened as a pipe
        return self._process.stdin

    def _close_input(self) -> None:
        with suppress(BrokenPipeError):  # its exit status tells why it read no more
            self._input.close()

    def _explain(self, status: int) -> PaasError:
        """Say why index-pack stopped: its first error, or else how it died."""
        self._errors.seek(0)
        lines = self._errors.read(ERRORS).decode(errors="replace").splitlines()
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
    """The same without git: spool, then unpack each object for its id and for what it names."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._spool = quarantine.path / "spool.pack"

    def feed(self, stream: PackStream) -> None:
        self._stream = stream
        with self._spool.open("wb") as file:
            stream.copy(file.write)

    def finish(self) -> None:
        try:
            with self._spool.open("r+b") as file:
                self._index(file)
        except (OSError, MemoryError, PaasError):
            raise
        except Exception as error:  # zlib and dulwich have several for a broken pack
            raise SourceRefused(f"The pack was refused: {error}") from error

    def _index(self, file: BinaryIO) -> None:
        store = self._quarantine.store
        checksum = compute_file_sha(file, hashlib.sha1, end_ofs=-TRAILER).digest()
        if file.read(TRAILER) != checksum:
            raise SourceRefused("The pack's checksum is wrong")
        unpacker = Unpacker(file, self._stream, lambda base: store.get_raw(RawObjectID(base)))
        named = Named(store)
        for found in unpacker.objects():
            named.add(*found)
        named.check()
        entries = unpacker.entries
        if bases := {RawObjectID(base) for base in unpacker.outside if base not in named.kinds}:
            checksum, added = extend_pack(file, bases, store.get_raw, store.object_format)
            file.flush()
            entries += added
        self._place(sorted(entries), checksum)

    def _place(self, entries: list[tuple[bytes, int, int]], checksum: bytes) -> None:
        """Make the spool a pack of the quarantine."""
        pack = self._quarantine.objects / "pack" / f"pack-{checksum.hex()}.pack"
        self._spool.rename(pack)
        with pack.with_suffix(".idx").open("wb") as index:
            write_pack_index(index, entries, checksum)

    def close(self) -> None:
        self._spool.unlink(missing_ok=True)


def choose_indexer(git: str | None, quarantine: Quarantine, limits: Limits) -> Indexer:
    """Return git's indexer where git is installed, else dulwich's."""
    return GitIndexer(git, quarantine, limits) if git else DulwichIndexer(quarantine)
