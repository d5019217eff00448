"""What a request leaves in the audit log: who typed what about which app, and how it ended.

Never a value: of arguments only those on a list are kept, cut at the first `=`. A log that cannot
be written stops no command, so that a full disk can be helped; paas's own log says so.
"""

import logging
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import click

from paas.doors.request import Request
from paas.errors import Outdated, PaasError
from paas.model import APP_NAME, Actor, AuditEntry
from paas.state.base import Audit

# Parameters that say what a command is about. Of `value`, `url`, `password`, ... nothing is kept.
ABOUT = (
    *("user", "role", "name", "new_name", "key", "keys", "pairs", "verbs", "expires", "domains"),
    *(
        "process",
        "capabilities",
        "quantities",
        "version",
        "deploy",
        "ref",
        "registry",
        "is_global",
        "is_admin",
    ),
)
WORD = re.compile(r"[A-Za-z0-9_.:@/-]{1,64}", re.ASCII)
UNKNOWN = "?"
WORDS = 20

log = logging.getLogger("paas")


@dataclass
class Trail:
    """One request's line. It is written when the command begins, and completed at its end."""

    audit: Audit
    request: Request
    started: float = field(default_factory=time.monotonic)
    number: int | None = None  # of the line, once it is written

    def __post_init__(self) -> None:
        request = self.request
        self.entry = AuditEntry(time.time(), UNKNOWN, request.door, request.fingerprint, UNKNOWN)

    def know(self, actor: Actor) -> None:
        """Say who it is."""
        self.entry = replace(self.entry, actor=actor.name)

    def name(
        self, verb: str, command: click.Command | None = None, args: Sequence[str] = ()
    ) -> None:
        """Say what was typed: a verb that exists, with its arguments."""
        params = _read(command, args) if command else {}
        app = None if params.get("is_global") else params.get("app")
        about = " ".join(_words(params))
        self.entry = replace(self.entry, verb=verb, app=_app(app), about=about)

    def begin(self) -> None:
        """Write the line: the command may take long, and may not live to its end."""
        with _kept_going():
            self.number = self.audit.add(self.entry)

    def end(self, status: int) -> None:
        """Complete the line, or write it for a command that was refused."""
        seconds = time.monotonic() - self.started
        entry = replace(self.entry, status=status, seconds=seconds)
        with _kept_going():
            if self.number:
                self.audit.end(self.number, entry)
            else:
                self.audit.add(entry)


@contextmanager
def _kept_going() -> Iterator[None]:
    """Go on when the log cannot be written."""
    try:
        yield
    except Outdated:  # who typed it was told
        pass
    except PaasError as error:
        log.error("a command is missing in the audit log: %s", error.message)  # noqa: TRY400 - the cause is all there is to say


def _read(command: click.Command, args: Sequence[str]) -> Mapping[str, object]:
    """Return the parameters as far as they can be read; what is wrong is refused later."""
    with command.make_context(command.name, list(args), resilient_parsing=True) as context:
        return context.params


def _app(typed: object) -> str | None:
    if not typed:
        return None
    name = str(typed).removeprefix("/").removesuffix("/").removesuffix(".git")
    return name if APP_NAME.fullmatch(name) else UNKNOWN


def _words(params: Mapping[str, object]) -> Iterator[str]:
    for name in ABOUT:
        value = params.get(name)
        match value:
            case None | False:
                continue
            case True:
                yield name.removeprefix("is_")
            case tuple() | list():
                yield from (_word(str(each), is_pair=name == "pairs") for each in value[:WORDS])
            case _:
                yield _word(str(value))


def _word(text: str, *, is_pair: bool = False) -> str:
    """Return the name in a word: what stands before `=`, which a pair must have."""
    name, equals, _ = text.partition("=")
    return name if WORD.fullmatch(name) and (equals or not is_pair) else UNKNOWN
