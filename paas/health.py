"""Waiting until a new process is healthy; when it is not, saying exactly why.

Healthy is one answer below 500 on `/`; with a check path 2xx or 3xx, and the check's words in the
body; three in a row only after a failure was seen.
"""

import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass

from paas.errors import StartFailed
from paas.look import LENIENT, PAUSE, Look, describe, is_good, look_at
from paas.manifest import Check
from paas.model import App, Container, ProcessState
from paas.schedulers.base import Exit, Listener, Observed, Scheduler
from paas.walls import Wall, recognise

POLL = 0.05  # seconds between looks while the port is closed; the first ones are closer
IN_A_ROW = 3
GRACE = 1.0  # seconds a process without port must stay up: import errors and typos show by then
TAIL = 20  # lines of log that a failure shows
MB = 1024 * 1024


def wait(  # noqa: PLR0913, PLR0917 - the six things that a check needs, each of its own kind
    scheduler: Scheduler,
    container: Container,
    app: App,
    host: str,
    timeout: float,
    check: Check | None = None,
) -> float:
    """Return after how many seconds the web process was healthy. Raises StartFailed.

    `host` goes into the Host header. It ends at once when the container exits, and after the
    check's number of bad answers; a last look that began in time may take its timeout.
    """
    process, check = Process(scheduler, container, app), check or LENIENT
    started = time.monotonic()
    streak, bad, last = 0, 0, Look()
    wait_up(scheduler, container, app, check.delay)
    while (elapsed := time.monotonic() - started) < timeout and bad < check.attempts:
        look = look_at(container.address, container.port, host, check)
        if is_good(look, check):
            streak += 1
            if streak >= (IN_A_ROW if bad else 1):
                return time.monotonic() - started
        else:
            process.check_alive()
            bad, last = (bad + 1, look) if look.has_opened else (bad, last)
            streak = 0
        pause = _pause(streak, bad, elapsed, check)
        time.sleep(max(min(pause, timeout - elapsed), 0.0))
    raise process.unhealthy(last, timeout, check.path or "/")


def wait_up(scheduler: Scheduler, container: Container, app: App, grace: float = GRACE) -> None:
    """Return when a process without port has stayed up for `grace` seconds. Raises StartFailed.

    The time since its start counts, so a process that started beside a slower one costs nothing.
    """
    process = Process(scheduler, container, app)
    deadline = time.monotonic() + grace
    while grace > 0:
        observed = process.check_alive()
        age = time.time() - observed.started_at
        if age >= grace or time.monotonic() >= deadline:
            return
        time.sleep(POLL)


def command_failed(name: str, app: App, ended: Exit, tail: Sequence[str]) -> StartFailed:
    """Return the error for a one-off command ("release") that ended like this."""
    wall = recognise(tail, app.name, name)
    what, hint = _how_it_ended(ended.status), str(wall) if wall else _exit_hint(ended.status)
    if ended.ran_out_of_memory:
        what, wall = f"was killed: {out_of_memory(ended.memory)}", None
    if ended.memory and not wall:
        hint = more_memory(app, name, ended.memory)
    return StartFailed(f"The {name} command {what}", details=tuple(tail), hint=hint)


def out_of_memory(limit: int) -> str:
    """Say that the kernel ended something at this limit in bytes."""
    return f"out of memory (limit {limit // MB} MB)"


def more_memory(app: App, process_type: str, limit: int) -> str:
    """Say how processes of a type get more than this limit in bytes, wherever that was set."""
    size = f"{limit * 2 // MB}m"
    return f"Try: resource:limit --process-type {process_type} --memory {size} {app.name}"


def _pause(streak: int, bad: int, elapsed: float, check: Check) -> float:
    """Return how long to wait for the next look: shortly while the port is closed."""
    if not bad:
        return min(POLL, 0.01 + elapsed / 4)
    return min(PAUSE, check.wait) if streak else check.wait


@dataclass(frozen=True)
class Process:
    """A new process under observation, and the errors that tell what became of it."""

    scheduler: Scheduler
    container: Container
    app: App

    def check_alive(self) -> Observed:
        """Return what the engine says. Raises StartFailed if the process has ended."""
        observed = self.scheduler.inspect(self.container.id)
        if observed.state is ProcessState.MISSING:
            raise StartFailed(
                f"{self.container.process} vanished: its container was removed", hint="Push again"
            )
        if observed.state is ProcessState.EXITED:
            raise self._exited(observed)
        return observed

    def unhealthy(self, last: Look, timeout: float, path: str) -> StartFailed:
        """Return the error for a process that runs but was not healthy in time."""
        port = self.container.port
        if last.status:
            return self._failure(describe(last, path), "The last lines may name the cause")
        if last.problem:
            return self._failure(f"{last.problem} on port {port}", "Serve plain HTTP/1.1 on $PORT")
        return self._failure(*_closed(self.scheduler.listeners(self.container.id), port, timeout))

    def _exited(self, observed: Observed) -> StartFailed:
        code = observed.exit_code or 0
        if observed.oom_killed:
            return self._failure(
                f"was killed: {out_of_memory(observed.memory)}",
                more_memory(self.app, self.container.process_type, observed.memory),
                look_for_walls=False,
            )
        lived = max(observed.finished_at - observed.started_at, 0.0)
        return self._failure(f"{_how_it_ended(code)} after {lived:.1f} s", _exit_hint(code))

    def _wall(self, lines: Sequence[str]) -> Wall | None:
        return recognise(lines, self.app.name, self.container.process_type)

    def _failure(self, what: str, hint: str, *, look_for_walls: bool = True) -> StartFailed:
        lines = self.scheduler.tail(self.container.id, TAIL)
        wall = self._wall(lines) if look_for_walls else None
        return StartFailed(
            f"{self.container.process} {what}", details=lines, hint=str(wall) if wall else hint
        )


def _how_it_ended(code: int) -> str:
    """Say how a process ended; shells report a signal as 128 + its number."""
    try:
        return f"was killed by {signal.Signals(code - 128).name}"
    except ValueError:
        return f"exited with code {code}"


def _exit_hint(code: int) -> str:
    if code == 0:
        return (
            "A process must stay in the foreground: start the server itself, not in the background"
        )
    return "Fix what the last lines say, then try again"


def _closed(listeners: Sequence[Listener], port: int, timeout: float) -> tuple[str, str]:
    """Say what listens instead of the port."""
    here = [listener.address for listener in listeners if listener.port == port]
    if here:
        return (
            f"listens on {here[0]} only",
            f"Listen on 0.0.0.0, port $PORT ({port}): another machine cannot reach {here[0]}",
        )
    others = sorted({listener.port for listener in listeners})
    if others:
        found = ", ".join(map(str, others))
        return (
            f"listens on {found}, not $PORT ({port})",
            f"Read the port from the variable PORT, or say EXPOSE {others[0]} in the Dockerfile",
        )
    return (
        f"did not open port {port} in {timeout:.0f} s",
        "Listen on 0.0.0.0, on the port in the variable PORT",
    )
