"""What the engine says of a container when it is asked."""

from dataclasses import dataclass

from paas.model import ProcessState

KILLED = 137  # the exit status of what KILL ended (128 + its number)


@dataclass(frozen=True)
class Observed:
    """What the engine says of one container of this instance."""

    id: str
    name: str
    state: ProcessState
    exit_code: int | None = None
    oom_killed: bool = False
    started_at: float = 0.0  # seconds since the epoch
    finished_at: float = 0.0
    pid: int = 0  # on the host, 0 when not running
    address: str = ""
    restarts: int = 0
    memory: int = 0  # the limit in bytes; containers() does not fill this, pid, times and restarts
    beside: frozenset[str] = frozenset()  # names of the networks it is on beside the app's own


@dataclass(frozen=True)
class Exit:
    """How a command ended that was run to its end."""

    status: int
    memory: int = 0  # the limit in bytes, if it failed and the kernel had killed a process for it

    @property
    def ran_out_of_memory(self) -> bool:
        """Whether that ended it: it may as well have failed long after another of its processes."""
        return self.memory > 0 and self.status == KILLED


@dataclass(frozen=True)
class Usage:
    """What one container uses; counters since its start. Bytes and seconds."""

    at: float
    cpu: float
    memory: int
    memory_limit: int
    received: int
    sent: int
    read: int
    written: int
    pids: int


@dataclass(frozen=True)
class Listener:
    """A listening TCP socket inside a container."""

    address: str  # "0.0.0.0", "127.0.0.1", "::", ...
    port: int


@dataclass(frozen=True)
class LogLine:
    """One line a process wrote, with the engine's time (seconds since the epoch)."""

    at: float
    process: str  # "web.1"
    text: str
    is_stderr: bool
