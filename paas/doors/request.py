"""The Request, its passing over a unix socket, and the control channel. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """What a door hands over: who knocks (a fingerprint, never an actor) and what was typed."""

    door: str  # "local", "ssh" or "openssh"
    argv: tuple[str, ...]
    fingerprint: str | None = None  # SHA256:...; None from the local door
    tty: bool = False
    term: str = ""
    rows: int = 24
    columns: int = 80
    environ: tuple[tuple[str, str], ...] = ()  # NO_COLOR, LANG, ...: a short list of allowed names
