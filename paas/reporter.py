"""The only writer of step lines. It survives a client that hangs up, and keeps the full log."""

import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO, Protocol, TextIO

from paas.alongside import alongside
from paas.errors import PaasError

WIDTH = 100
STEP, MILESTONE, DETAIL, PROBLEM = "-----> ", "=====> ", " " * 7, " !     "
SILENCE = 5.0  # seconds before a keep-alive, as git's receive.keepAlive
STILL = 10.0  # seconds before a visible "still ..." line
LINE_BYTES = 4096
LOG_BYTES = 16 * 1024 * 1024  # of tools' output in a log: a command may write for an hour
# Everything that steers a terminal: CSI and OSC sequences, other escapes, C0 and C1 but \t.
CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b.?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def clean(text: str) -> str:
    """Return `text` without terminal control sequences; newlines and tabs stay."""
    return CONTROL.sub("", text)


class Sink(Protocol):
    """Where step lines go: the pusher's sideband, or a terminal."""

    def write(self, text: str) -> None:
        """Send complete lines; never raises when the reader is gone."""

    def keepalive(self) -> None:
        """Send something invisible."""


class TerminalSink:
    """Writes step lines to a command's own streams: problems to stderr, the rest to stdout."""

    def __init__(self, out: TextIO, err: TextIO) -> None:
        self._out = out
        self._err = err

    def write(self, text: str) -> None:
        stream = self._err if text.startswith(PROBLEM) else self._out
        with suppress(OSError, ValueError):  # the reader has gone; the work goes on
            stream.write(text)
            stream.flush()

    def keepalive(self) -> None:
        """Terminals need none: ssh has its own."""


class Reporter:
    """Writes steps to `sink` and everything to `log`; knows how long each step takes.

    `verbose` sends the tools' own output to the sink too. `secrets` are masked everywhere.
    """

    def __init__(self, sink: Sink, log: BinaryIO | None = None, *, verbose: bool = False) -> None:
        self._sink = sink
        self._log = log
        self._verbose = verbose
        self._secrets: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._tail: deque[str] = deque(maxlen=20)
        self._quiet_since = time.monotonic()
        self._step: tuple[str, float] | None = None
        self._has_gap = False  # in the log
        self._room = LOG_BYTES
        self.durations: dict[str, float] = {}  # step -> seconds
        self.warnings = 0

    def hide(self, secrets: tuple[str, ...]) -> None:
        """Mask these values in all output from now on; values of under 6 characters are not.

        Output is written line by line, so each line of a value (a private key's, say) is one too.
        """
        lines = {line for secret in secrets for line in secret.splitlines()} | set(secrets)
        self._secrets = tuple(sorted((s for s in lines if len(s) >= 6), key=len, reverse=True))  # noqa: PLR2004 - see above

    @contextmanager
    def step(self, text: str, *, name: str = "") -> Iterator[None]:
        """Announce a step at once; when it took over 1 s, say so at its end.

        `name` files the duration in `durations`. While it is silent, keep-alives are sent, and
        a "still ..." line every 10 s.
        """
        self.line(STEP, text)
        started = time.monotonic()
        self._tail.clear()
        self._step = (text, started)
        try:
            with alongside(self._beat):  # the working thread may sit in one long call
                yield
        finally:
            self._step = None
            took = time.monotonic() - started
            self.durations[name or text] = self.durations.get(name or text, 0.0) + took
        if took > 1:
            self.line(DETAIL, f"done in {took:.1f} s")

    def detail(self, text: str) -> None:
        """Say more about the current step."""
        self.line(DETAIL, text)

    def problem(self, text: str) -> None:
        """Say what is wrong."""
        self.line(PROBLEM, text)

    def milestone(self, text: str) -> None:
        """Say that something is reached; at most two per push."""
        self.line(MILESTONE, text)

    def tool(self, text: str) -> None:
        """Keep a line of a tool's output in the log; show it only when verbose."""
        for raw in text.splitlines():
            line = self._mask(clean(raw))[:LINE_BYTES]
            with self._lock:
                self._tail.append(line)
                self.warnings += "warning" in line.lower()
                self._keep(f"{DETAIL}| {line}\n")
                if self._verbose:
                    self._send(f"{DETAIL}| {line}\n")

    def tail(self) -> tuple[str, ...]:
        """Return the last 20 lines of the current step's tools."""
        return tuple(self._tail)

    def failure(self, error: PaasError) -> None:
        """Show an error: what happened, the details, what to do."""
        error.shown = True
        self.problem(error.message)
        for line in error.details:
            self.line(PROBLEM, f"| {line}")
        for line in error.hint.splitlines():
            self.problem(line)

    def line(self, prefix: str, text: str) -> None:
        """Write one line (or several: each gets the prefix's width) to sink and log."""
        lines = self._mask(clean(text)).splitlines() or [""]
        rest = DETAIL if prefix in {STEP, MILESTONE} else prefix
        block = "".join(f"{prefix if i == 0 else rest}{line}\n" for i, line in enumerate(lines))
        with self._lock:
            self._write_log(block)
            self._send(block)

    def _beat(self, over: threading.Event) -> None:
        """Send keep-alives, and a visible line now and then."""
        self._quiet_since = time.monotonic()
        while not over.wait(SILENCE):
            step = self._step
            if step and time.monotonic() - self._quiet_since >= STILL - 1:
                text = step[0][0].lower() + step[0][1:]
                self.detail(f"still {text}: {time.monotonic() - step[1]:.0f} s")
            else:
                with self._lock:
                    self._sink.keepalive()

    def _send(self, block: str) -> None:
        self._quiet_since = time.monotonic()
        self._sink.write(block)

    def _keep(self, block: str) -> None:
        """Write a tool's line to the log while there is room: nobody fills the disk with one."""
        if self._room > 0:
            self._room -= len(block)
            rest = f"{DETAIL}| The rest of what is written here is not kept: more than 16 MB\n"
            self._write_log(block if self._room > 0 else rest)

    def _write_log(self, block: str) -> None:
        """Write to the log; a full disk makes a gap in it, and stops nothing by that."""
        if self._log:
            try:
                self._log.write(block.encode())
                self._log.flush()
            except OSError as error:
                if not self._has_gap:
                    self._send(f"{PROBLEM}The log of this has a gap: {error.strerror}\n")
                self._has_gap = True

    def _mask(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text
