"""The descriptors of a command as files: what it reads, what it wrote."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from paas.schedulers.base import Streams


class Files:
    """Gives `streams` to a command, and reads what came of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        for name in ("in", "out", "err"):
            (self._folder / name).write_bytes(b"")
        read, out, err = (os.open(self._folder / n, os.O_RDWR) for n in ("in", "out", "err"))
        self.streams = Streams(read, out, err)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for descriptor in (self.streams.stdin, self.streams.stdout, self.streams.stderr):
            os.close(descriptor or 0)

    def write(self, data: bytes) -> None:
        """Say what the command reads."""
        (self._folder / "in").write_bytes(data)

    @property
    def out(self) -> bytes:
        """What it wrote to stdout."""
        return (self._folder / "out").read_bytes()

    @property
    def err(self) -> bytes:
        """What it wrote to stderr."""
        return (self._folder / "err").read_bytes()
