"""Every command with hostile arguments: a clear refusal, the right exit status, nothing changed.

The corpus goes to each place a word can have: an app's name, each further argument, each option.
"""

import hashlib
from collections.abc import Iterator
from itertools import product

import click
import pytest

from paas import dispatch
from paas.commands.declare import REGISTRY, Command
from paas.model import App
from tests.commands.conftest import Person, Typed

WORDS = [
    "../../etc/passwd",
    "-rf",
    "--nonsense=x",
    "$(exit 7)",
    "; exit 7",
    "\u0661\u0662",
    "shop\n",
    "a\nb",
    "\x1b]0;owned\x07\x1b[2J",
    "\x9b2J",
    "\udcff",
    "nul\0nul",
    "x" * 9000,
    "",
    " ",
    "'",
    "SHOP",
    "caf\u00e9",
]
STATUSES = {0, 1, 2, 20, 75}
PROGRAMS = {"run", "run:detached", "enter", "debug"}  # what stands behind the app is its own
LATER = {"audit", "sqlite_sequence"}  # the audit log has a line for what was refused, too

dispatch.load_commands()
COMMANDS = [pytest.param(command, id=name) for name, command in sorted(REGISTRY.items())]


def lines_of(command: Command) -> Iterator[tuple[str, ...]]:
    """Yield a command line per hostile word and place."""
    if command.name in PROGRAMS:
        yield from ((word, "true") for word in WORDS)
        return
    arguments = [p for p in command.click.params if isinstance(p, click.Argument)]
    options = [p for p in command.click.params if isinstance(p, click.Option) and not p.is_flag]
    plain = ["shop" if p.name == "app" else "x" for p in arguments]
    for word, place in product(WORDS, range(len(arguments) + 1)):
        yield (*plain[:place], word, *plain[place + 1 :])
    for word, option in product(WORDS[::2], options):
        yield (*plain, option.opts[0], word)
    yield from ((word,) * 3 for word in WORDS)


def content(paas: Person) -> str:
    """Return a digest of what the database holds, but for the audit log."""
    database = paas.store._database
    tables = [row[0] for row in database.rows("SELECT name FROM sqlite_schema WHERE type='table'")]
    rows = [
        (table, *map(tuple, database.rows(f"SELECT * FROM {table}")))
        for table in tables
        if table not in LATER
    ]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def type_it(paas: Person, command: Command, args: tuple[str, ...]) -> Typed:
    """Type a command line as a door hands it over; a door itself refuses NUL and 8 KiB."""
    try:
        return paas(command.name, *args, text_in="x\n")
    except ValueError as refused:
        return Typed(1, "", f" !     The request was refused: {refused}\n")


@pytest.mark.parametrize("command", COMMANDS)
def test_hostile_words_are_refused_and_change_nothing(
    paas: Person, shop: App, command: Command
) -> None:
    before = content(paas)
    for args in lines_of(command):
        typed = type_it(paas, command, args)
        said = typed.out + typed.err
        assert typed.status in STATUSES, (args, typed)
        assert "made a mistake" not in said, (args, said)
        assert "Traceback (most" not in said, (args, said)
        assert not set(said) & {"\x1b", "\x9b", "\x07", "\0"}, (args, said)
        if typed.status:
            assert typed.err.startswith(" !     ") or not typed.err, (args, typed)
            assert content(paas) == before, (args, typed)
        else:
            before = content(paas)
