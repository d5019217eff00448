"""The conversation of a push (gitprotocol-pack(5), "Pushing data to a server").

dulwich's own handler would believe stale values, answer before the deploy, and take missing objects
and hostile trees: what it is asked to do stands in intake.py.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from dulwich.errors import GitProtocolError
from dulwich.objects import ObjectID, valid_hexsha
from dulwich.protocol import (
    CAPABILITIES_REF,
    CAPABILITY_DELETE_REFS,
    CAPABILITY_OFS_DELTA,
    CAPABILITY_QUIET,
    CAPABILITY_REPORT_STATUS,
    CAPABILITY_SIDE_BAND_64K,
    SIDE_BAND_CHANNEL_FATAL,
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
from paas.git.upload import One, answer_error
from paas.git.wire import Line

T = TypeVar("T")
PUSH_OPTIONS = b"push-options"
MOST_LINES = 100_000  # of refs and edges in one request
REFS = "{:,} refs in one push: push fewer refs at once"
EDGES = "{:,} commits at the edge of a shallow history: get all of it with git fetch --unshallow"
INTERNAL = "internal error, see the log of the host"


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
    """What the client is told: of the pack, and of each ref ("" is ok, else the reason).

    Nothing is ok until it was judged: the client would move its own ref after one that stayed.
    """

    commands: tuple[Command, ...]
    report: Callable[["Answer"], None]
    unpack: str = INTERNAL
    refs: dict[bytes, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.refs = dict.fromkeys((command.ref for command in self.commands), INTERNAL)

    def send(self) -> None:
        """Tell the client, as it stands now."""
        self.report(self)

    @property
    def good(self) -> tuple[Command, ...]:
        """The commands that nothing speaks against so far."""
        return tuple(c for c in self.commands if not self.refs[c.ref])

    def refuse_all(self, reason: str) -> None:
        """Give the reason to all that are still good, or were not judged."""
        for command in self.commands:
            if self.refs[command.ref] in {"", INTERNAL}:
                self.refs[command.ref] = reason
        self.unpack = reason if self.unpack == INTERNAL else self.unpack


class Conversation(ReceivePackHandler):
    """Advertises refs, reads commands and options, reports."""

    def __init__(
        self, repository: Bare, line: Line, limits: Limits, again: frozenset[str] = frozenset()
    ) -> None:
        super().__init__(One(repository), ["/"], line)
        self._limits = limits
        self._again = again
        self._values: dict[Ref, ObjectID] = {}
        self.receive = line.recv  # what comes behind the commands: the pack
        self.has_sideband = False  # until the client's first command says so

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
        shallow: list[bytes] = []
        for packet in self._read_list():
            words = packet.split(b" ", 1)
            if words[0] == b"shallow" and not commands:
                _add(shallow, _valid(words[-1]), self._limits.edges)
            else:
                text, capabilities = extract_capabilities(packet)
                if not commands:
                    self.has_sideband = CAPABILITY_SIDE_BAND_64K in capabilities
                    self.set_client_capabilities(capabilities)
                _add(commands, self._restore(_parse_command(text)), self._limits.commands)
        _require(len(shallow), self._limits.edges, EDGES)
        _require(len(commands), self._limits.commands, REFS)
        return tuple(commands), frozenset(shallow)

    def _read_list(self) -> Iterator[bytes]:
        """Yield the lines up to the next flush: the client hears nothing before it has sent all.

        Raises GitProtocolError for so many that no answer matters.
        """
        for _ in range(MOST_LINES):
            packet = self.proto.read_pkt_line()
            if packet is None:
                return
            yield packet.rstrip(b"\n")
        raise GitProtocolError("the push names too much")

    def _restore(self, command: Command) -> Command:
        """Put in the value that the client would have named if it had seen it."""
        hidden = self._values.get(Ref(command.ref))
        if command.new in self._again and not command.old and hidden:
            return replace(command, old=hidden.decode())
        return command

    def read_options(self) -> tuple[str, ...]:
        """Return what `git push -o` said. Raises GitProtocolError."""
        if not self.has_capability(PUSH_OPTIONS):
            return ()
        options: list[str] = []
        for packet in self._read_list():
            _add(options, packet.decode(errors="replace"), self._limits.options)
        _require(len(options), self._limits.options, "{:,} push options")
        return tuple(options)

    def report(self, answer: Answer) -> None:
        """Tell the outcome, if the client asked for it and still listens."""
        if self.has_capability(CAPABILITY_REPORT_STATUS):
            lines = [(b"unpack", _text(answer.unpack))]
            lines += [(c.ref, _text(answer.refs[c.ref])) for c in answer.commands]
            with suppress(GitProtocolError):
                self._report_status(lines)

    def refuse(self, reason: str) -> None:
        """Say why the conversation ends, as the client listens now: with sideband on band 3."""
        if self.has_sideband:
            with suppress(GitProtocolError):
                self.proto.write_sideband(SIDE_BAND_CHANNEL_FATAL, reason.encode())
        else:
            answer_error(self.proto, reason)


def _add(items: list[T], item: T, most: int) -> None:
    """Append, so that one too many tells of all that are."""
    if len(items) <= most:
        items.append(item)


def _require(count: int, most: int, what: str) -> None:
    if count > most:
        raise GitProtocolError(f"more than {what.format(most)}")


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
