"""The conversation of a push (gitprotocol-pack(5), "Pushing data to a server").

dulwich's own handler would believe stale values, answer before the deploy, and take missing objects
and hostile trees: what it is asked to do stands in intake.py.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from dulwich.errors import GitProtocolError
from dulwich.objects import ObjectID, valid_hexsha
from dulwich.protocol import (
    CAPABILITIES_REF,
    CAPABILITY_DELETE_REFS,
    CAPABILITY_OFS_DELTA,
    CAPABILITY_QUIET,
    CAPABILITY_REPORT_STATUS,
    CAPABILITY_SIDE_BAND_64K,
    ZERO_SHA,
    capability_agent,
    capability_object_format,
    extract_capabilities,
    format_ref_line,
)
from dulwich.refs import Ref
from dulwich.server import ReceivePackHandler

from paas.git.limits import Limits
from paas.git.names import BRANCHES
from paas.git.store import Bare
from paas.git.upload import One
from paas.git.wire import Line

PUSH_OPTIONS = b"push-options"


@dataclass(frozen=True)
class Command:
    """What a client wants of one ref: `old` and `new` in hex, None for a ref that is not there."""

    old: str | None
    new: str | None
    ref: bytes

    @property
    def branch(self) -> str | None:
        """The branch's name; None for a tag."""
        return self.ref.removeprefix(BRANCHES).decode() if self.ref.startswith(BRANCHES) else None


@dataclass
class Answer:
    """What the client is told: of the pack, and of each ref ("" is ok, else the reason)."""

    commands: tuple[Command, ...]
    report: Callable[["Answer"], None]
    unpack: str = ""
    refs: dict[bytes, str] = field(default_factory=dict)

    def send(self) -> None:
        """Tell the client, as it stands now."""
        self.report(self)

    @property
    def good(self) -> tuple[Command, ...]:
        """The commands that nothing speaks against so far."""
        return tuple(c for c in self.commands if not self.refs.get(c.ref))

    def refuse_all(self, reason: str) -> None:
        """Give the reason to all that are still good."""
        for command in self.good:
            self.refs[command.ref] = reason


class Conversation(ReceivePackHandler):
    """Advertises refs, reads commands and options, reports."""

    def __init__(
        self, repository: Bare, line: Line, limits: Limits, again: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(One(repository), ["/"], line)
        self._limits = limits
        self._again = again
        self._values: dict[Ref, ObjectID] = {}

    def capabilities(self) -> list[bytes]:
        """Say what a client may ask for; `atomic` is not among it."""
        return [
            CAPABILITY_REPORT_STATUS,
            CAPABILITY_DELETE_REFS,
            CAPABILITY_QUIET,
            CAPABILITY_OFS_DELTA,
            CAPABILITY_SIDE_BAND_64K,
            PUSH_OPTIONS,
            capability_object_format("sha1"),
            capability_agent(),
        ]

    @property
    def has_sideband(self) -> bool:
        """Whether the client shows progress."""
        return self.has_capability(CAPABILITY_SIDE_BAND_64K)

    def advertise(self) -> None:
        """Send the refs and what we can do; no refs to get a history sent once more."""
        self._values = {ref: at for ref, at in self.repo.get_refs().items() if ref != b"HEAD"}
        refs = [] if self._again else sorted(self._values.items())
        first, *rest = refs or [(Ref(CAPABILITIES_REF), ZERO_SHA)]
        self.proto.write_pkt_line(format_ref_line(*first, self.capabilities()))
        for ref in rest:
            self.proto.write_pkt_line(format_ref_line(*ref))
        self.proto.write_pkt_line(None)

    def read_commands(self) -> tuple[tuple[Command, ...], frozenset[bytes]]:
        """Return the commands, and the commits at the edge of the client's history.

        No commands: the client has nothing to push. Raises GitProtocolError.
        """
        commands: list[Command] = []
        shallow: set[bytes] = set()
        while (packet := self.proto.read_pkt_line()) is not None:
            words = packet.rstrip(b"\n").split(b" ", 1)
            if words[0] == b"shallow" and not commands:
                shallow.add(_valid(words[-1]))
            else:
                text, capabilities = extract_capabilities(packet.rstrip(b"\n"))
                if not commands:
                    self.set_client_capabilities(capabilities)
                commands.append(self._restore(_parse_command(text)))
            if max(len(commands), len(shallow)) > self._limits.commands:
                raise GitProtocolError(f"more than {self._limits.commands} refs in one push")
        return tuple(commands), frozenset(shallow)

    def _restore(self, command: Command) -> Command:
        """Put in the value that the client would have named if it had seen it."""
        hidden = self._values.get(Ref(command.ref))
        if command.new in self._again and not command.old and hidden:
            return replace(command, old=hidden.decode())
        return command

    def read_options(self) -> tuple[str, ...]:
        """Return what `git push -o` said. Raises GitProtocolError for more than anybody means."""
        if not self.has_capability(PUSH_OPTIONS):
            return ()
        options: list[str] = []
        for packet in self.proto.read_pkt_seq():
            if len(options) == self._limits.options:
                raise GitProtocolError(f"more than {self._limits.options} push options")
            options.append(packet.rstrip(b"\n").decode(errors="replace"))
        return tuple(options)

    def report(self, answer: Answer) -> None:
        """Tell the outcome, if the client asked for it and still listens."""
        if self.has_capability(CAPABILITY_REPORT_STATUS):
            lines = [(b"unpack", _text(answer.unpack))]
            lines += [(c.ref, _text(answer.refs.get(c.ref, ""))) for c in answer.commands]
            with suppress(GitProtocolError):
                self._report_status(lines)


def _text(reason: str) -> bytes:
    return reason.encode() or b"ok"


def _valid(hexadecimal: bytes) -> bytes:
    if not valid_hexsha(hexadecimal) or len(hexadecimal) != len(ZERO_SHA):
        raise GitProtocolError("an object id is malformed")
    return hexadecimal


def _parse_command(text: bytes) -> Command:
    """Return the command in `old new ref`. Raises GitProtocolError."""
    words = text.split(b" ")
    if len(words) != 3:  # noqa: PLR2004 - see above
        raise GitProtocolError("a ref update is malformed")
    old, new = (None if _valid(word) == ZERO_SHA else ObjectID(word).decode() for word in words[:2])
    return Command(old, new, words[2])
